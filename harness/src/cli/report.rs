//! `spark-bench report`: the page and the table again, from stored runs.

use super::{Verdict, ui};
use anyhow::Context;
use spark_results::store;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folders; the first is the subject, the others stand beside it
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Where the page goes [default: report.html in the first run folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the summary on stdout, too
    #[arg(long)]
    text: bool,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let runs = args.runs.iter().map(|f| store::read(f)).collect::<Result<Vec<_>, _>>()?;
    let [first, ..] = &runs[..] else { anyhow::bail!("name at least one run folder") };
    let page = match &args.out {
        Some(file) => {
            store::replace(file, spark_reports::html(&runs).as_bytes())?;
            file.clone()
        }
        None => {
            crate::run::write(&args.runs[0], first).with_context(|| "choose a file with --out")?;
            let page = args.runs[0].join(store::REPORT);
            if runs.len() > 1 {
                store::replace(&page, spark_reports::html(&runs).as_bytes())?;
            }
            page
        }
    };
    if args.text {
        ui::data(&spark_reports::text(first, ui::coloured()));
    }
    ui::line(page.display());
    Ok(Verdict::Fine)
}
