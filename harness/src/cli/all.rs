//! `spark-bench all`: detect, plan, run, report, judge.

use super::Verdict;
use super::common::{self, Common};
use crate::plan;
use spark_gate::Judgement;
use spark_results::store;
use spark_workloads::suite;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How much: smoke (under a minute), standard (about five), full
    #[arg(long, default_value = "standard")]
    suite: String,
    /// Runs to judge against, or `none` [default: those under results/baselines made on a machine like this]
    #[arg(long, value_name = "RUN")]
    baseline: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let mut name = args.suite.clone();
    if let Some(folder) = &args.common.resume {
        // A run is continued as it was begun.
        name = store::read(folder)?.manifest.settings.suite.unwrap_or(name);
    }
    let suite = suite::named(&name)?;
    let place = common::place(args.common.one_thread_count()?, &args.common.device)?;
    let tasks = plan::tasks(&suite.tasks, &place.devices, &args.common.filter)?;
    let fingerprint = place.machine.fingerprint();
    let (verdict, run) = common::measure(&args.common, Some(&name), suite.measure, place, &tasks)?;
    if verdict == Verdict::Interrupted {
        return Ok(verdict);
    }
    let voice = args.common.voice();
    let baselines = baselines(&args.baseline, &fingerprint)?;
    let judgement = spark_gate::judge(&baselines, &run);
    if let Some(nothing) = &judgement.nothing {
        voice.say(format!("baseline: {nothing}"));
    }
    for line in judgement.lines() {
        voice.say(line);
    }
    Ok(if verdict == Verdict::Broken || broken(&judgement) { Verdict::Broken } else { Verdict::Fine })
}

fn broken(judgement: &Judgement) -> bool {
    judgement.any_broken()
}

/// Runs named with --baseline, or those kept for machines of this fingerprint.
fn baselines(named: &[String], fingerprint: &str) -> anyhow::Result<Vec<spark_results::Run>> {
    if named.iter().any(|n| n == "none") {
        return Ok(Vec::new());
    }
    let folders: Vec<PathBuf> = if named.is_empty() {
        let kept = PathBuf::from("results/baselines").join(fingerprint);
        let entries = std::fs::read_dir(kept).into_iter().flatten().flatten();
        entries.map(|e| e.path()).filter(|p| p.join(store::MANIFEST).exists()).collect()
    } else {
        named.iter().map(PathBuf::from).collect()
    };
    Ok(folders.iter().map(|f| store::read(f)).collect::<Result<_, _>>()?)
}
