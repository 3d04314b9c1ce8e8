//! `spark-bench export`: a stored run in other words.

use super::{Verdict, ui};
use spark_results::{Document, store, table};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run folder
    run: PathBuf,
    /// In which words
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// One document: the manifest and every record with what follows from it
    Json,
    /// One flat row a record
    Csv,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let run = store::read(&args.run)?;
    let document = Document::of(&run);
    match args.format {
        Format::Json => ui::line(serde_json::to_string_pretty(&document)?),
        Format::Csv => ui::data(&table::csv(&document)?),
    }
    Ok(Verdict::Fine)
}
