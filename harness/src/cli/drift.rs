//! `spark-bench gate drift`: where gates against a pinned build changed over weeks. Advice: it never fails anything.

use super::{Verdict, ui};
use anyhow::Context;
use spark_gate::history;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What `gate --history FILE` wrote, one file or several
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only ids that match (repeatable)
    #[arg(long, value_name = "GLOB")]
    filter: Vec<String>,
    /// Names the random orders that a change is compared with
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print every series as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let mut points = Vec::new();
    for path in &args.files {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: no history can be read; `gate --history FILE` writes one", path.display()))?;
        points.extend(history::read(&text).with_context(|| path.display().to_string())?);
    }
    let wanted =
        |id: &str| args.filter.is_empty() || args.filter.iter().any(|glob| spark_results::id::matches(glob, id));
    points.retain(|point| wanted(&point.id));
    let series = history::drift(&points, args.seed);
    ui::data(&if args.json { history::json(&series) } else { history::text(&series) });
    Ok(Verdict::Fine)
}
