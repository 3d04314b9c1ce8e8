//! `spark-bench gate calibrate`: how often the gate cries wolf on this kind of machine, and how small a wolf it sees.

use super::{Verdict, common, gate, stop, ui};
use crate::gate::{Build, Contest, in_common, introduced};
use crate::os::SysRoot;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use spark_gate::Policy;
use spark_gate::gate::Calibration;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where trials are kept, one file a host class.
const FOLDER: &str = "results/calibration";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One build [default: this program]
    #[arg(long, value_name = "PATH")]
    baseline_bin: Option<PathBuf>,
    /// A separate build of the same commit, so that where the linker puts things counts as noise [default: this program]
    #[arg(long, value_name = "PATH")]
    candidate_bin: Option<PathBuf>,
    /// Trials to add: each is one gate over one benchmark
    #[arg(long, value_name = "N", default_value_t = 20)]
    trials: u64,
    /// Slow the candidate by a share of real work, such as 1.05, to see whether it is found [default: none, to count false alarms]
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    handicap: f64,
    /// What is run: a suite
    #[arg(long, default_value = "gate")]
    suite: String,
    /// Only ids that match (repeatable)
    #[arg(long, value_name = "GLOB")]
    filter: Vec<String>,
    /// Time of each trial, confirmation not counted
    #[arg(long, value_name = "DURATION", value_parser = common::duration, default_value = "30s")]
    budget: Duration,
    /// What else the machine does, kept with each trial: quiet, two hogs …
    #[arg(long, value_name = "WORDS", default_value = "")]
    note: String,
    /// The folder of the trials
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    store: PathBuf,
}

/// One trial, a line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Trial {
    at: String,
    id: String,
    factor: f64,
    verdict: String,
    ratio: Option<f64>,
    blocks: Option<usize>,
    seconds: f64,
    seed: u64,
    note: String,
    builds: [String; 2],
}

/// What is known of machines of this fingerprint. Errors: a file that is no list of trials.
pub(super) fn stored(host: &str) -> anyhow::Result<Option<Calibration>> {
    read(&Path::new(FOLDER).join(format!("{host}.jsonl")))
}

fn read(path: &Path) -> anyhow::Result<Option<Calibration>> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    let mut calibration = Calibration::default();
    let mut found: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    // A line that a kill cut short is the last one and is left out.
    for line in text.lines().filter(|line| line.ends_with('}')) {
        let trial: Trial = serde_json::from_str(line)
            .with_context(|| format!("{}: no list of trials; move it away or name another --store", path.display()))?;
        let alarm = trial.verdict == "REGRESSION";
        if trial.factor == 1.0 {
            calibration.trials += 1;
            calibration.alarms += u64::from(alarm);
            calibration.passes += u64::from(trial.verdict == "PASS");
        } else {
            // In tenths of a percent: shares are keys.
            let (trials, seen) = found.entry((1e3 * (trial.factor - 1.0)).round() as u64).or_default();
            *trials += 1;
            *seen += u64::from(alarm);
        }
    }
    calibration.found = found.into_iter().map(|(share, (trials, seen))| (share as f64 * 1e-3, trials, seen)).collect();
    Ok(Some(calibration))
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let voice = ui::Voice::default();
    if !(1.0..=2.0).contains(&args.handicap) {
        anyhow::bail!("--handicap {}: a factor has to be from 1 to 2, such as 1.05", args.handicap);
    }
    stop::listen().context("Ctrl-C cannot be listened for")?;
    let root = SysRoot::from_env();
    let host = crate::detect::machine(&root).fingerprint();
    let this = std::env::current_exe().context("this program's own path")?;
    let path = |given: &Option<PathBuf>| given.clone().unwrap_or_else(|| this.clone());
    let build = |name, path, variables| Build {
        name,
        path,
        arguments: gate::worker_arguments(&args.suite, &args.filter),
        variables,
    };
    let slowed = (args.handicap != 1.0).then(|| (crate::handicap::VARIABLE.to_owned(), format!("*={}", args.handicap)));
    let old = build("baseline", path(&args.baseline_bin), Vec::new());
    let new = build("candidate", path(&args.candidate_bin), slowed.into_iter().collect());
    if old.path == new.path {
        voice.warn(
            "one build against itself: what a linker's layout adds is not seen; give two separate builds of one commit",
        );
    }
    let ids = introduced(&old, &new).and_then(|hellos| in_common(&hellos)).map_err(anyhow::Error::msg)?;
    std::fs::create_dir_all(&args.store).with_context(|| format!("--store {}", args.store.display()))?;
    let file = args.store.join(format!("{host}.jsonl"));
    for trial in 0..args.trials {
        if stop::asked() {
            return Ok(Verdict::Interrupted);
        }
        let id = &ids[trial as usize % ids.len()];
        let (seed, began) = (gate::clock(), Instant::now());
        let mut policy = Policy::embedded()?;
        policy.budget_s = args.budget.as_secs_f64();
        let (root, say) = (&root, &|_| ());
        let contest = Contest { baseline: &old, candidate: &new, policy: &policy, seed, root, say, stop: &stop::asked };
        let (mut rows, _) = contest.over(std::slice::from_ref(id), None);
        let row = match rows.pop() {
            Some(row) if !stop::asked() => row,
            _ => return Ok(Verdict::Interrupted),
        };
        let trial = Trial {
            at: crate::run::now(),
            id: id.clone(),
            factor: args.handicap,
            verdict: row.verdict.name().to_owned(),
            ratio: row.effect.map(|e| e.ratio),
            blocks: row.effect.map(|e| e.blocks),
            seconds: began.elapsed().as_secs_f64(),
            seed,
            note: args.note.clone(),
            builds: [&old, &new].map(|build| build.path.display().to_string()),
        };
        let mut out = std::fs::OpenOptions::new().append(true).create(true).open(&file)?;
        writeln!(out, "{}", serde_json::to_string(&trial)?)?;
        let known = read(&file)?.unwrap_or_default();
        voice.say(format!("{} {id} in {:.0} s; so far {known}", row.verdict, trial.seconds));
    }
    let known = read(&file)?.unwrap_or_default();
    ui::line(format!("{host}: {known}"));
    Ok(Verdict::Fine)
}
