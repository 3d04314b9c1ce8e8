//! `spark-bench export`: a stored run in other words.

mod bmf;
mod github;
mod junit;
mod long;
mod numbers;
mod openmetrics;
mod parquet;

use super::llm::{self, Output};
use super::{Verdict, ui};
use anyhow::{Context, bail, ensure};
use spark_results::{Document, Run, store, table};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run folder
    run: PathBuf,
    /// In which words
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// Where it goes: a file, a folder for github [default: standard output]
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// How llama-bench's rows are written
    #[arg(long, short, value_enum, default_value = "json")]
    output: Output,
    /// One row a number instead of one a record, with its status, interval, unit and source (csv)
    #[arg(long)]
    long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One document: the manifest and every record with what follows from it
    Json,
    /// One flat row a record; with --long one a number
    Csv,
    /// One row a number, for data frames
    Parquet,
    /// llama-bench's own columns (--output json, jsonl, csv, sql, md), read by its compare script
    LlamaBench,
    /// Bencher Metric Format
    Bmf,
    /// github-action-benchmark: two files, one a direction, into the folder --out
    Github,
    /// A test case a record, for CI servers
    Junit,
    /// A gauge a number, for Prometheus
    Openmetrics,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    ensure!(!args.long || args.format == Format::Csv, "--long is a form of csv; give --format csv, or leave it out");
    let run = store::read(&args.run)?;
    let document = Document::of(&run);
    let text = match args.format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&document)?),
        Format::Csv if args.long => long::csv(&long::rows(&run, &document))?,
        Format::Csv => table::csv(&document)?,
        Format::Parquet => return parquet(args, &run, &document),
        Format::LlamaBench => {
            let (text, others) = llm::rows_of(&run, args.output)?;
            left_out(others, "no test of llama-bench that was measured here");
            text
        }
        Format::Bmf => told(&run, &document, bmf::text),
        Format::Github => return github(args, &run, &document),
        Format::Junit => junit::text(&run, &document),
        Format::Openmetrics => openmetrics::text(&run, &document),
    };
    match &args.out {
        Some(file) => store::replace(file, text.as_bytes())?,
        None => ui::data(&text),
    }
    Ok(Verdict::Fine)
}

/// A form that holds measured numbers only; what it has no place for is said.
fn told(run: &Run, document: &Document, text: fn(&[numbers::Number]) -> String) -> String {
    let numbers = numbers::of(run);
    let without = document.records.iter().filter(|e| !numbers.iter().any(|n| n.id == e.id)).count();
    left_out(without, "no number that was measured here");
    text(&numbers)
}

fn left_out(records: usize, why: &str) {
    if records > 0 {
        ui::Voice::default().warn(format!("{records} records are left out: {why}; --format json has them all"));
    }
}

/// One file a direction: the action knows one for all that stands in a file.
fn github(args: &Args, run: &Run, document: &Document) -> anyhow::Result<Verdict> {
    let Some(folder) = &args.out else {
        bail!("--format github writes two files, one a direction; give the folder with --out");
    };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: the folder cannot be made; choose another with --out", folder.display()))?;
    for (name, text) in github::FILES {
        let path: PathBuf = Path::new(folder).join(name);
        store::replace(&path, told(run, document, *text).as_bytes())?;
        ui::line(path.display());
    }
    Ok(Verdict::Fine)
}

fn parquet(args: &Args, run: &Run, document: &Document) -> anyhow::Result<Verdict> {
    let Some(file) = &args.out else { bail!("--format parquet is no text; give the file with --out") };
    store::replace(file, &parquet::bytes(&long::rows(run, document))?)?;
    Ok(Verdict::Fine)
}
