//! `spark-bench compare`: stored runs side by side.

use super::{Verdict, ui};
use anyhow::{Context, bail};
use spark_results::compare::{self, Comparison};
use spark_results::id::matches;
use spark_results::{Run, store};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folders, or committed runs by their name under results/baselines: the first is A, each of the others stands
    /// beside it as B. A B may be the name of a system that others published figures of, such as `M2 Ultra`
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Only ids that match, of every run (repeatable)
    #[arg(long, value_name = "GLOB")]
    filter: Vec<String>,
    /// Write a Markdown table; `-` for stdout
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    if args.json && args.markdown.as_ref().is_some_and(|file| file.as_os_str() == "-") {
        bail!("--json and --markdown - both take stdout; give --markdown a file");
    }
    let [first, others @ ..] = &args.runs[..] else { bail!("name two run folders or more") };
    let first = read(first, &args.filter)?;
    let all = others.iter().map(|other| beside(&first, other, &args.filter)).collect::<anyhow::Result<Vec<_>>>()?;
    tell(args, &all)?;
    if all.iter().all(|of| of.compared.is_empty()) {
        let why = all.iter().flat_map(|of| &of.refused).next();
        let why = why.map_or("neither run has a measurement", |refused| refused.reason.as_str());
        bail!("nothing could be compared: {why}; `spark-bench run` measures the same work here");
    }
    Ok(Verdict::Fine)
}

/// `first` beside the run in a folder or a committed one; where it is neither, beside what is published of the system of that name.
fn beside(first: &Run, other: &Path, filter: &[String]) -> anyhow::Result<Comparison> {
    match read(other, filter) {
        Ok(run) => Ok(compare::runs(first, &run)),
        Err(_)
            if !other.exists()
                && let Some(of) = other.to_str().and_then(|name| compare::published(first, name)) =>
        {
            Ok(of)
        }
        Err(e) => Err(e),
    }
}

/// A run with the records asked for.
fn read(folder: &Path, filter: &[String]) -> anyhow::Result<Run> {
    let mut run = super::common::stored(folder)?;
    run.records.retain(|r| filter.is_empty() || filter.iter().any(|glob| matches(glob, &r.id.to_string())));
    Ok(run)
}

fn tell(args: &Args, all: &[Comparison]) -> anyhow::Result<()> {
    let told = |words: &dyn Fn(&Comparison) -> String| all.iter().map(words).collect::<Vec<_>>().join("\n");
    let mut printed = args.json;
    if args.json {
        ui::line(serde_json::to_string_pretty(&serde_json::json!({ "comparisons": all }))?);
    }
    if let Some(file) = &args.markdown {
        let text = told(&spark_reports::comparison_markdown);
        if file.as_os_str() == "-" {
            ui::data(&text);
            printed = true;
        } else {
            store::replace(file, text.as_bytes()).with_context(|| "--markdown")?;
        }
    }
    if !printed {
        let color = ui::coloured();
        ui::data(&told(&|of| spark_reports::comparison(of, color)));
    }
    Ok(())
}
