//! `spark-bench gate`: is the candidate slower than the baseline?

use super::{Verdict, common, stop, ui};
use crate::gate::{Build, Child, Duel, Fought, Hello, Plan, Trouble};
use crate::os::SysRoot;
use anyhow::{Context, bail};
use spark_gate::gate::{Row, Sum};
use spark_gate::paired::{CONFIRMATION, Rules, Side, Standing, confirmed, standing, verdicts};
use spark_gate::{Gate, Policy, stored, told};
use spark_results::store;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    let build =
        |name, path: &Path| Build { name, path: path.to_owned(), arguments: arguments(args), variables: Vec::new() };
    let (old, new) = (build("baseline", baseline), build("candidate", candidate));
    let [old_hello, new_hello] = hellos(&old, &new)?;
    let both = in_common(&old_hello, &new_hello)?;
    let seed = args.seed.unwrap_or_else(clock);
    let each_s = args.budget.map_or(policy.budget_s, |all| all.as_secs_f64() / both.len() as f64);
    let mut gate = Gate {
        baseline: format!("{} ({})", old_hello.build, baseline.display()),
        candidate: format!("{} ({})", new_hello.build, candidate.display()),
        calibration: super::calibrate::stored(&host)?,
        host,
        seed,
        ..Gate::default()
    };
    let rules = |id: &str| Rules { floor: policy.floor(id), alpha: policy.alpha, benchmarks: both.len(), seed };
    let began = Instant::now();
    let mut fought: Vec<(String, Fought)> = Vec::new();
    for (at, id) in both.iter().enumerate() {
        let late = args.budget.is_some_and(|all| began.elapsed() >= all);
        if late || stop::asked() {
            gate.left_over.push(id.clone());
            continue;
        }
        voice.say(format!("{}/{} {id}", at + 1, both.len()));
        let plan = Plan { rules: rules(id), budget_s: each_s, seed: seed.wrapping_add(at as u64) };
        let result = Duel::new(id, &old, &new, plan.seed, &root).fight(&plan, &stop::asked);
        fought.push((id.clone(), result));
    }
    for (id, result) in judged(&fought, &rules) {
        gate.rows.push(row(id, result, policy));
    }
    confirm(&mut gate, &fought, &|id, n| Duel::new(id, &old, &new, seed ^ n, &root), &rules, &voice);
    let missing = old_hello.benchmarks.iter().filter(|id| !new_hello.benchmarks.contains(id));
    let fresh = new_hello.benchmarks.iter().filter(|id| !old_hello.benchmarks.contains(id));
    let alone =
        missing.map(|id| (id, spark_gate::Verdict::Missing)).chain(fresh.map(|id| (id, spark_gate::Verdict::New)));
    gate.rows.extend(alone.map(|(id, verdict)| bare(id, verdict, policy)));
    Ok(gate)
}

/// Both builds' introductions. Errors: one is no build of this program, or their results are of different schemas.
fn hellos(old: &Build, new: &Build) -> anyhow::Result<[Hello; 2]> {
    let hello =
        |build: &Build| Child::start(build).map(|child| child.hello.clone()).map_err(|t| anyhow::anyhow!("{t}"));
    let both = [hello(old)?, hello(new)?];
    let [old, new] = &both;
    if old.schema != new.schema {
        let (old, new) = (&old.schema, &new.schema);
        bail!("the builds write results of different schemas ({old} and {new}); compare builds of one schema");
    }
    Ok(both)
}

fn in_common(old: &Hello, new: &Hello) -> anyhow::Result<Vec<String>> {
    let both: Vec<_> = old.benchmarks.iter().filter(|id| new.benchmarks.contains(id)).cloned().collect();
    if both.is_empty() {
        bail!(
            "the builds have no benchmark in common; loosen --filter or choose another --suite (`spark-bench list suites`)"
        );
    }
    Ok(both)
}

/// The ids that both builds can run.
pub(super) fn common_ids(old: &Build, new: &Build) -> anyhow::Result<Vec<String>> {
    let [old, new] = hellos(old, new)?;
    in_common(&old, &new)
}

/// A gate over one benchmark, confirmation included.
pub(super) fn one(
    id: &str,
    old: &Build,
    new: &Build,
    policy: &Policy,
    seed: u64,
    root: &SysRoot,
    voice: ui::Voice,
) -> Row {
    let rules = |id: &str| Rules { floor: policy.floor(id), alpha: policy.alpha, benchmarks: 1, seed };
    let plan = Plan { rules: rules(id), budget_s: policy.budget_s, seed };
    let fought = [(id.to_owned(), Duel::new(id, old, new, seed, root).fight(&plan, &stop::asked))];
    let mut gate = Gate::default();
    gate.rows.extend(judged(&fought, &rules).into_iter().map(|(id, result)| row(id, result, policy)));
    confirm(&mut gate, &fought, &|id, n| Duel::new(id, old, new, seed ^ n, root), &rules, &voice);
    gate.rows.remove(0)
}

/// What stands behind `worker --protocol 1`, the same for both.
fn arguments(args: &Judge) -> Vec<String> {
    let mut list = worker_arguments(&args.suite, &args.filter);
    list.extend(args.device.iter().flat_map(|id| ["--device".to_owned(), id.clone()]));
    list.extend(args.threads.iter().flat_map(|n| ["--threads".to_owned(), n.to_string()]));
    list
}

pub(super) fn worker_arguments(suite: &str, filters: &[String]) -> Vec<String> {
    let filters = filters.iter().flat_map(|glob| ["--filter".to_owned(), glob.clone()]);
    ["--suite".to_owned(), suite.to_owned()].into_iter().chain(filters).collect()
}

pub(super) fn clock() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |t| t.as_nanos() as u64 >> 10)
}

/// Verdicts of all that was fought, with Holm over those that were tested.
fn judged<'a>(
    fought: &'a [(String, Fought)],
    rules: &dyn Fn(&str) -> Rules,
) -> Vec<(&'a String, (spark_gate::Verdict, &'a Fought))> {
    let empty = || standing(&[], &rules(""));
    let standings: Vec<Standing> = fought.iter().map(|(_, f)| f.standing.unwrap_or_else(empty)).collect();
    let mut out = Vec::new();
    for (at, (id, result)) in fought.iter().enumerate() {
        // Floors differ by benchmark, the family does not.
        let verdict = verdicts(&standings, &rules(id)).swap_remove(at);
        out.push((id, (said(result).unwrap_or(verdict), result)));
    }
    out
}

/// What overrules the statistics.
fn said(result: &Fought) -> Option<spark_gate::Verdict> {
    use spark_gate::Verdict as V;
    if let Some((side, trouble)) = &result.trouble {
        return Some(match (side, trouble) {
            (Side::Candidate, Trouble::Declined { broken: false, .. }) => V::Missing,
            (Side::Baseline, Trouble::Declined { broken: false, .. }) => V::New,
            (Side::Candidate, trouble) => V::Broken(trouble.to_string()),
            (Side::Baseline, trouble) => V::Inconclusive(format!("the baseline could not be measured: {trouble}")),
        });
    }
    result.void.clone().map(V::Inconclusive)
}

fn row(id: &str, (verdict, result): (spark_gate::Verdict, &Fought), policy: &Policy) -> Row {
    let reason = match &result.trouble {
        Some((_, Trouble::Declined { broken: false, reason })) => vec![reason.clone()],
        _ => Vec::new(),
    };
    Row {
        effect: result.standing.and_then(|s| s.effect),
        slower_p: result.standing.map(|s| s.slower_p.min(1.0)),
        notes: reason.into_iter().chain(result.notes.iter().cloned()).collect(),
        ..bare(id, verdict, policy)
    }
}

fn bare(id: &str, verdict: spark_gate::Verdict, policy: &Policy) -> Row {
    let (floor, watched) = (policy.floor(id), policy.watched(id));
    Row { id: id.to_owned(), verdict, effect: None, slower_p: None, floor, watched, notes: Vec::new() }
}

/// Measures what looks like a change once more, with new processes and in a new order. What does not come again is not told.
fn confirm<'a>(
    gate: &mut Gate,
    fought: &'a [(String, Fought)],
    duel: &dyn Fn(&'a str, u64) -> Duel<'a>,
    rules: &dyn Fn(&str) -> Rules,
    voice: &ui::Voice,
) {
    for (at, (id, first)) in fought.iter().enumerate() {
        let row = &mut gate.rows[at];
        if !matches!(row.verdict, spark_gate::Verdict::Regression | spark_gate::Verdict::Improvement) {
            continue;
        }
        voice.say(format!("{id} looks like a {}: measured once more", row.verdict.name().to_lowercase()));
        let second = duel(id, 0x5eed + at as u64).again(CONFIRMATION, first.block_s, &stop::asked);
        row.notes.extend(second.notes.iter().map(|note| format!("confirmation: {note}")));
        let whole = second.differences.len() == CONFIRMATION && second.void.is_none();
        if !(whole && confirmed(&second.differences, &row.verdict, &rules(id))) {
            let why = match (&second.trouble, &second.void) {
                (Some((_, trouble)), _) => trouble.to_string(),
                (None, Some(void)) => void.clone(),
                (None, None) => "fresh processes did not show it again".to_owned(),
            };
            row.verdict = spark_gate::Verdict::Inconclusive(format!(
                "looked like a {}, not confirmed: {why}",
                row.verdict.name().to_lowercase()
            ));
        }
    }
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
