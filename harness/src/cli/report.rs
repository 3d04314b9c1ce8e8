//! `spark-bench report`: the page and the table again, from stored runs.

use super::{Verdict, ui};
use anyhow::{Context, bail};
use spark_results::machine::clean;
use spark_results::{Run, store, sums};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folders, or committed runs by their name under results/baselines; the first is the subject, the others stand beside it
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Where the page goes [default: report.html in the first run folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write one picture to share in place of the page, as SVG or PNG: how fast, how close to the limit, how efficient, against what
    #[arg(long, value_name = "FILE.svg|FILE.png", conflicts_with_all = ["out", "site"])]
    card: Option<PathBuf>,
    /// Write a static site of all the runs in place of the page: an index and one page a machine
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    site: Option<PathBuf>,
    /// Print the summary on stdout, too
    #[arg(long)]
    text: bool,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let draw = args.card.as_deref().map(pen).transpose()?;
    let runs = args.runs.iter().map(|f| super::common::stored(f)).collect::<Result<Vec<_>, _>>()?;
    let [first, ..] = &runs[..] else { bail!("name at least one run folder; spark-bench all makes one") };
    if args.text {
        ui::data(&spark_reports::text(first, ui::coloured()));
    }
    if let Some(folder) = &args.site {
        return site(folder, &runs);
    }
    if let (Some(file), Some(draw)) = (&args.card, draw) {
        let picture = draw(first).with_context(|| format!("{}: it could not be drawn; try .svg", file.display()))?;
        store::replace(file, &picture)?;
        ui::line(file.display());
        return Ok(Verdict::Fine);
    }
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
            sums::renew(&args.runs[0], &[store::TABLE, store::REPORT])?;
            page
        }
    };
    ui::line(page.display());
    Ok(Verdict::Fine)
}

/// Makes a picture of a run.
type Pen = fn(&Run) -> Option<Vec<u8>>;

/// What draws a picture as the name of its file says.
fn pen(file: &Path) -> anyhow::Result<Pen> {
    match file.extension().and_then(|end| end.to_str()) {
        Some("svg") => Ok(|run| Some(spark_reports::card(run).into_bytes())),
        Some("png") => Ok(spark_reports::card_png),
        _ => {
            bail!("{}: a card is SVG or PNG; name a file that ends in .svg or .png", clean(&file.display().to_string()))
        }
    }
}

/// A static site of all runs in `folder`.
fn site(folder: &Path, runs: &[Run]) -> anyhow::Result<Verdict> {
    let (files, refused) = spark_reports::site(runs);
    let voice = ui::Voice { quiet: false, no_progress: true };
    for id in refused {
        voice.warn(format!("{}: left out, because a test double stood in for a device", clean(&id)));
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: choose a folder you can write to with --site", folder.display()))?;
    for (name, text) in files {
        store::replace(&folder.join(name), text.as_bytes())?;
    }
    ui::line(folder.join("index.html").display());
    Ok(Verdict::Fine)
}
