//! `spark-bench all`: detect, plan, run, report, judge.

use super::Verdict;
use super::common::{self, Common};
use crate::plan;
use anyhow::{Context, bail};
use spark_gate::gate::Sum;
use spark_gate::{Policy, stored, told};
use spark_results::{Run, store};
use spark_workloads::suite;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How much: smoke (under a minute), standard (about five), full
    #[arg(long, default_value = "standard")]
    suite: String,
    /// Runs to judge against, or `none` [default: those under results/baselines made on a machine like this]
    #[arg(long, value_name = "RUN")]
    baseline: Vec<String>,
    /// Exit with 1 for a regression against the baseline and with 3 where that cannot be told, not only for what is broken
    #[arg(long)]
    gate: bool,
    #[command(flatten)]
    common: Common,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    // A run is continued as it was begun: its suite, its devices, its tasks.
    let resumed = args.common.resumed()?;
    let name = resumed.as_ref().and_then(|m| m.settings.suite.clone()).unwrap_or_else(|| args.suite.clone());
    let suite = suite::named(&name)?;
    let named = named(&args.baseline)?;
    let (place, tasks) = match &resumed {
        Some(manifest) => {
            let place = common::place_again(manifest)?;
            let tasks = plan::again(&manifest.planned, &place.devices)?;
            (place, tasks)
        }
        None => {
            let place = common::place(args.common.one_thread_count()?, &args.common.device)?;
            let tasks = plan::tasks(&suite.tasks, &place.devices, &args.common.filter)?;
            (place, tasks)
        }
    };
    let fingerprint = place.machine.fingerprint();
    let (verdict, run) = common::measure(&args.common, Some(&name), suite.measure, place, &tasks)?;
    if verdict == Verdict::Interrupted {
        return Ok(verdict);
    }
    let voice = args.common.voice();
    let baselines = match named {
        Some(runs) => runs,
        None => kept(&fingerprint)?,
    };
    let mut gate = stored::judge(&baselines, &run, &Policy::embedded()?);
    if gate.rows.is_empty() {
        voice.say(match baselines.len() {
            0 => format!("baseline: none kept for this machine ({fingerprint}); nothing was judged"),
            n => format!("baseline: {n} given, none of this machine ({fingerprint}); nothing was judged"),
        });
        return Ok(verdict);
    }
    // What is new is no news in a run that measures everything.
    gate.rows.retain(|row| row.verdict != spark_gate::Verdict::New);
    voice.say(told::text(&gate).trim_end());
    let broken = gate.rows.iter().any(|row| matches!(row.verdict, spark_gate::Verdict::Broken(_)));
    Ok(match gate.sum() {
        _ if verdict == Verdict::Broken || broken => Verdict::Broken,
        Sum::Failed if args.gate => Verdict::Broken,
        Sum::Inconclusive if args.gate => Verdict::Inconclusive,
        _ => verdict,
    })
}

/// The runs named with --baseline, read before anything is measured; `none` names none. `None`: nothing was named.
fn named(named: &[String]) -> anyhow::Result<Option<Vec<Run>>> {
    match named {
        [] => Ok(None),
        [none] if none == "none" => Ok(Some(Vec::new())),
        _ if named.iter().any(|n| n == "none") => bail!("--baseline none: it cannot stand beside other baselines"),
        folders => {
            let read = |folder: &String| store::read(Path::new(folder)).context("--baseline");
            Ok(Some(folders.iter().map(read).collect::<anyhow::Result<_>>()?))
        }
    }
}

/// The runs kept for machines of this fingerprint.
fn kept(fingerprint: &str) -> anyhow::Result<Vec<Run>> {
    let entries = std::fs::read_dir(Path::new("results/baselines").join(fingerprint)).into_iter().flatten().flatten();
    let folders = entries.map(|e| e.path()).filter(|p| p.join(store::MANIFEST).exists());
    Ok(folders.map(|f| store::read(&f)).collect::<Result<_, _>>()?)
}
