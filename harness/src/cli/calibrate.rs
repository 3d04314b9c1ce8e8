//! `spark-bench gate calibrate`: how often the gate cries wolf on this kind of machine, and how small a wolf it sees.

use super::{Verdict, common, gate, stop, ui};
use crate::gate::{Build, Contest, Explain, PATIENCE, append, in_common, introduced};
use crate::os::SysRoot;
use anyhow::Context;
use spark_gate::calibration::{Calibration, Trial};
use spark_gate::{Policy, told};
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
    /// Trials to add: each is one gate over one benchmark; 0 prints what is known [default: 20]
    #[arg(long, value_name = "N", conflicts_with = "until")]
    trials: Option<u64>,
    /// Add trials until there are so many under this note with this handicap: what was stopped goes on
    #[arg(long, value_name = "N")]
    until: Option<u64>,
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
    /// What else the machine does, kept with each trial and told apart: quiet, two hogs …
    #[arg(long, value_name = "WORDS", default_value = "")]
    note: String,
    /// The folder of the trials
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    store: PathBuf,
    /// Print what is known as JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// What is known of machines of this fingerprint. Errors: a file that is no list of trials.
pub(super) fn stored(host: &str) -> anyhow::Result<Option<Calibration>> {
    let file = file(Path::new(FOLDER), host);
    if file.exists() { read(&file).map(Some) } else { Ok(None) }
}

fn file(folder: &Path, host: &str) -> PathBuf {
    folder.join(format!("{host}.jsonl"))
}

fn read(path: &Path) -> anyhow::Result<Calibration> {
    match std::fs::read_to_string(path) {
        Ok(text) => Calibration::read(&text).with_context(|| path.display().to_string()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Calibration::default()),
        Err(e) => Err(e).with_context(|| format!("{}: choose a --store that can be read", path.display())),
    }
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    if !(1.0..=2.0).contains(&args.handicap) {
        anyhow::bail!("--handicap {}: a factor has to be from 1 to 2, such as 1.05", args.handicap);
    }
    let root = SysRoot::from_env();
    let host = crate::detect::machine(&root).fingerprint();
    let file = file(&args.store, &host);
    let before = read(&file)?.trials(&args.note, args.handicap - 1.0);
    let trials = args.until.map_or(args.trials.unwrap_or(20), |until| until.saturating_sub(before));
    let verdict = if trials > 0 { add(args, &root, &file, before..before + trials)? } else { Verdict::Fine };
    let known = read(&file)?;
    if args.json {
        ui::data(&told::calibration(&host, &known));
    } else {
        ui::line(format!("{}{host}: {known}", known.table()));
    }
    Ok(verdict)
}

/// Adds the trials of the given numbers to `file`, one by one.
fn add(args: &Args, root: &SysRoot, file: &Path, numbers: std::ops::Range<u64>) -> anyhow::Result<Verdict> {
    let voice = ui::Voice::default();
    stop::listen().context("Ctrl-C cannot be listened for")?;
    let this = std::env::current_exe().context("this program's own path")?;
    let path = |given: &Option<PathBuf>| given.clone().unwrap_or_else(|| this.clone());
    let build = |name, path, variables| Build {
        name,
        path,
        arguments: gate::worker_arguments(&args.suite, &args.filter),
        variables,
        under: Vec::new(),
        patience: PATIENCE,
    };
    let slowed = (args.handicap != 1.0).then(|| (crate::handicap::VARIABLE.to_owned(), format!("*={}", args.handicap)));
    let old = build("baseline", path(&args.baseline_bin), Vec::new());
    let new = build("candidate", path(&args.candidate_bin), slowed.into_iter().collect());
    let hellos = introduced(&old, &new).map_err(anyhow::Error::msg)?;
    let ids = in_common(&hellos).map_err(anyhow::Error::msg)?;
    let programs = [program(&old.path)?, program(&new.path)?];
    if programs[0] == programs[1] {
        voice.warn(
            "one build against itself: what a linker's layout adds is not seen; give two separate builds of one commit",
        );
    }
    // Words and hashes: a path would say nothing on another machine.
    let builds = [0, 1].map(|at: usize| format!("{}, program {}", hellos[at].build, programs[at]));
    std::fs::create_dir_all(&args.store).with_context(|| format!("--store {}", args.store.display()))?;
    for number in numbers {
        if stop::asked() {
            return Ok(Verdict::Interrupted);
        }
        let id = &ids[number as usize % ids.len()];
        let (seed, began) = (gate::clock(), Instant::now());
        let mut policy = Policy::embedded()?;
        policy.budget_s = args.budget.as_secs_f64();
        let contest = Contest {
            baseline: &old,
            candidate: &new,
            policy: &policy,
            seed,
            root,
            say: &|_| (),
            stop: &stop::asked,
            explain: Explain::Nothing,
        };
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
            builds: builds.to_vec(),
        };
        append(file, &trial).map_err(anyhow::Error::msg)?;
        let known = read(file)?;
        voice.say(format!("{} {id} in {:.0} s; so far {known}", row.verdict, trial.seconds));
    }
    Ok(Verdict::Fine)
}

/// The beginning of the hash of a program: enough to tell builds apart.
fn program(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(blake3::hash(&bytes).to_hex().as_str().chars().take(12).collect())
}
