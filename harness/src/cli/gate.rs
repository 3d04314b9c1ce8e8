//! `spark-bench gate`: is the candidate slower than the baseline?

use super::{Verdict, common, stop, ui};
use crate::gate::{Build, Contest, Explain, append, crowded, in_common, introduced};
use crate::os::SysRoot;
use anyhow::{Context, bail};
use spark_gate::gate::{Row, Sum};
use spark_gate::{Gate, Policy, history, stored, told};
use spark_results::store;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    judge: Judge,
}

#[derive(Debug, clap::Subcommand)]
enum Other {
    /// Count false alarms of two builds of one commit, and how small a slowdown is found; trials are appended and kept
    #[command(after_help = "Example: spark-bench gate calibrate --trials 300 --candidate-bin other-build/spark-bench")]
    Calibrate(super::calibrate::Args),
    /// Where gates against a pinned build changed over weeks: advice, exit code 0
    #[command(after_help = "Example: spark-bench gate drift history.jsonl")]
    Drift(super::drift::Args),
}

#[derive(Debug, clap::Args)]
struct Judge {
    /// The build that stood before: a spark-bench program
    #[arg(long, value_name = "PATH", required_unless_present = "baseline", requires = "candidate_bin")]
    baseline_bin: Option<PathBuf>,
    /// The build to judge
    #[arg(long, value_name = "PATH", requires = "baseline_bin")]
    candidate_bin: Option<PathBuf>,
    /// Stored runs to judge against (repeatable); builds in turn are the trustworthy form
    #[arg(long, value_name = "RUN", requires = "candidate", conflicts_with = "baseline_bin")]
    baseline: Vec<PathBuf>,
    /// The stored run to judge
    #[arg(long, value_name = "RUN", requires = "baseline")]
    candidate: Option<PathBuf>,
    /// What is run: a suite
    #[arg(long, default_value = "gate")]
    suite: String,
    /// Only ids that match (repeatable)
    #[arg(long, value_name = "GLOB")]
    filter: Vec<String>,
    /// A device to use (repeatable)
    #[arg(long, value_name = "ID")]
    device: Vec<String>,
    /// Threads of the CPU device
    #[arg(long, short = 't', value_name = "N")]
    threads: Option<usize>,
    /// Tolerances and error rates [default: those of ci/gate.toml, embedded]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Time for all benchmarks together, shared evenly [default: the policy's for each]
    #[arg(long, value_name = "DURATION", value_parser = common::duration)]
    budget: Option<Duration>,
    /// Of the order of executions [default: the clock]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Count instructions of every benchmark with valgrind, not only of those that changed: it explains and decides nothing
    #[arg(long, requires = "baseline_bin")]
    explain: bool,
    /// Longest silence of a build, after which it counts as hung
    #[arg(long, value_name = "DURATION", value_parser = common::duration, default_value = "10m")]
    patience: Duration,
    /// Append each estimate to this file, for `gate drift`: the baseline is then a build that stays the same for months
    #[arg(long, value_name = "FILE", requires = "baseline_bin")]
    history: Option<PathBuf>,
    /// Exit with 0 where nothing failed and something could not be told
    #[arg(long)]
    inconclusive_ok: bool,
    /// Write JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a Markdown table
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write Bencher's metric format
    #[arg(long, value_name = "FILE")]
    bmf: Option<PathBuf>,
    /// Write github-action-benchmark's list (smaller is better)
    #[arg(long, value_name = "FILE")]
    benchmarks: Option<PathBuf>,
    /// On GitHub: annotations on stdout and a table in the step's summary
    #[arg(long)]
    github: bool,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Say only what is wrong
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    match &args.other {
        Some(Other::Calibrate(args)) => super::calibrate::act(args),
        Some(Other::Drift(args)) => super::drift::act(args),
        None => judge(&args.judge),
    }
}

fn judge(args: &Judge) -> anyhow::Result<Verdict> {
    let policy = match &args.policy {
        None => Policy::embedded()?,
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("--policy {}", path.display()))?;
            Policy::parse(&text).with_context(|| format!("--policy {}", path.display()))?
        }
    };
    let gate = match (&args.baseline_bin, &args.candidate_bin) {
        (Some(baseline), Some(candidate)) => {
            stop::listen().context("Ctrl-C cannot be listened for")?;
            let gate = builds(args, &policy, baseline, candidate)?;
            if stop::asked() {
                tell(args, &gate)?;
                return Ok(Verdict::Interrupted);
            }
            gate
        }
        _ => runs(args, &policy)?,
    };
    tell(args, &gate)?;
    Ok(match gate.sum() {
        Sum::Failed => Verdict::Broken,
        Sum::Inconclusive if !args.inconclusive_ok => Verdict::Inconclusive,
        _ => Verdict::Fine,
    })
}

/// Stored runs. Errors: one that cannot be read, none of the candidate's machine.
fn runs(args: &Judge, policy: &Policy) -> anyhow::Result<Gate> {
    let read = |flag: &str, folder: &PathBuf| store::read(folder).with_context(|| flag.to_owned());
    let old = args.baseline.iter().map(|folder| read("--baseline", folder)).collect::<anyhow::Result<Vec<_>>>()?;
    let Some(folder) = &args.candidate else { bail!("--candidate is missing; give the run to judge") };
    let new = read("--candidate", folder)?;
    let mut gate = stored::judge(&old, &new, policy);
    if gate.rows.is_empty() {
        bail!("no baseline was made on the candidate's machine ({}); give runs of that machine", gate.host);
    }
    gate.calibration = super::calibrate::stored(&gate.host)?;
    let wanted =
        |id: &str| args.filter.is_empty() || args.filter.iter().any(|glob| spark_results::id::matches(glob, id));
    gate.rows.retain(|row| wanted(&row.id));
    Ok(gate)
}

/// Both builds, in turn.
fn builds(args: &Judge, policy: &Policy, baseline: &Path, candidate: &Path) -> anyhow::Result<Gate> {
    let voice = ui::Voice { quiet: args.quiet, no_progress: false };
    let root = SysRoot::from_env();
    let host = crate::detect::machine(&root).fingerprint();
    let build = |name, path: &Path| Build {
        name,
        path: path.to_owned(),
        arguments: arguments(args),
        variables: Vec::new(),
        under: Vec::new(),
        patience: args.patience,
    };
    let (old, new) = (build("baseline", baseline), build("candidate", candidate));
    let hellos = introduced(&old, &new).map_err(anyhow::Error::msg)?;
    let both = in_common(&hellos).map_err(anyhow::Error::msg)?;
    let seed = args.seed.unwrap_or_else(clock);
    let usable = crate::plan::usable(crate::session::available());
    let (fit, too_large): (Vec<_>, Vec<_>) =
        both.into_iter().map(|id| (crowded(&hellos, &id, usable), id)).partition(|(why, _)| why.is_none());
    let fit: Vec<String> = fit.into_iter().map(|(_, id)| id).collect();
    let mut policy = policy.clone();
    if let Some(all) = args.budget {
        policy.budget_s = all.as_secs_f64() / fit.len().max(1) as f64;
    }
    let explain = if args.explain { Explain::All } else { Explain::Changes };
    let (root, say, stop) = (&root, &|text| voice.say(text), &stop::asked);
    let contest = Contest { baseline: &old, candidate: &new, policy: &policy, seed, root, say, stop, explain };
    let (mut rows, left_over) = contest.over(&fit, args.budget);
    let declined = too_large.into_iter().filter_map(|(why, id)| Some((spark_gate::Verdict::Inconclusive(why?), id)));
    rows.extend(declined.map(|(verdict, id)| Row::bare(&id, verdict, &policy)));
    let [old, new] = &hellos;
    let missing = old.benchmarks.iter().filter(|id| !new.benchmarks.contains(id));
    let fresh = new.benchmarks.iter().filter(|id| !old.benchmarks.contains(id));
    rows.extend(missing.map(|id| Row::bare(id, spark_gate::Verdict::Missing, &policy)));
    rows.extend(fresh.map(|id| Row::bare(id, spark_gate::Verdict::New, &policy)));
    let gate = Gate {
        baseline: format!("{} ({})", old.build, baseline.display()),
        candidate: format!("{} ({})", new.build, candidate.display()),
        calibration: super::calibrate::stored(&host)?,
        host,
        seed,
        rows,
        left_over,
    };
    if let Some(path) = &args.history {
        for point in history::points(&gate, &crate::run::now(), &old.build, &new.build) {
            append(path, &point).map_err(anyhow::Error::msg)?;
        }
    }
    Ok(gate)
}

/// What stands behind `worker --protocol 1`, the same for both.
fn arguments(args: &Judge) -> Vec<String> {
    let mut list = worker_arguments(&args.suite, &args.filter);
    list.extend(args.device.iter().flat_map(|id| ["--device".to_owned(), id.clone()]));
    list.extend(args.threads.iter().flat_map(|n| ["--threads".to_owned(), n.to_string()]));
    list
}

/// What a worker is started with: what it can be asked for.
pub(super) fn worker_arguments(suite: &str, filters: &[String]) -> Vec<String> {
    let filters = filters.iter().flat_map(|glob| ["--filter".to_owned(), glob.clone()]);
    ["--suite".to_owned(), suite.to_owned()].into_iter().chain(filters).collect()
}

/// A seed that differs from call to call.
pub(super) fn clock() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |t| t.as_nanos() as u64 >> 10)
}

/// Prints and writes it in every form asked for.
fn tell(args: &Judge, gate: &Gate) -> anyhow::Result<()> {
    let files = [
        (&args.junit, told::junit as fn(&Gate) -> String),
        (&args.markdown, told::markdown),
        (&args.bmf, told::bmf),
        (&args.benchmarks, told::benchmarks),
    ];
    for (path, words) in files {
        if let Some(path) = path {
            store::replace(path, words(gate).as_bytes())?;
        }
    }
    if args.json {
        ui::data(&told::json(gate));
    } else if !args.quiet {
        ui::data(&told::text(gate));
    }
    if args.github {
        ui::data(&told::annotations(gate));
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&path)?;
            std::io::Write::write_all(&mut file, told::markdown(gate).as_bytes())?;
        }
    }
    Ok(())
}
