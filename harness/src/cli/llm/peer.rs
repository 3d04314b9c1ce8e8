//! `llm --peer`: another engine and this one in turn on the same tests, under the same sensors.

use super::Args;
use super::asked::Asked;
use super::row::{deviation, mean, tokens_per_joule};
use crate::cli::common::{self, Place};
use crate::cli::elsewhere::{self, Experiment};
use crate::cli::{Verdict, ui};
use crate::duel::{self, Pair};
use anyhow::{bail, ensure};
use spark_kernels::cpu::pool::allowed_cpus;
use spark_results::machine::clean;
use spark_results::quantity::digits;
use spark_results::{BenchmarkId, Entry, Record, Run, stats};
use spark_workloads::peer::engine::{self, Engine, Given, Test};
use spark_workloads::suite::Policy;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What is looked for in PATH where nothing is named.
const IN_PATH: &str = "llama-bench";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Another engine beside this one")]
pub(super) struct Peer {
    /// Run another engine in turn with this one: llama-bench, vllm, mlx_lm.benchmark or ollama, in PATH or at a path
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, default_missing_value = IN_PATH)]
    pub(super) peer: Option<PathBuf>,
    /// The model that it is given: a GGUF file for llama-bench, a folder or a name for the others [default: -m, where that is one]
    #[arg(long, value_name = "MODEL", requires = "peer")]
    peer_model: Option<OsString>,
    /// A further argument for it (repeatable)
    #[arg(long, value_name = "ARG", requires = "peer", allow_hyphen_values = true)]
    peer_arg: Vec<String>,
    /// How often both are run, the order turned each time
    #[arg(long, value_name = "N", requires = "peer", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
}

/// Both engines on every test asked for.
pub(super) fn act(args: &Args, path: &Path, asked: &Asked, policy: Policy, place: Place) -> anyhow::Result<Verdict> {
    let (engine, program) = engine::find(path).map_err(anyhow::Error::msg)?;
    let model = model(engine, args)?;
    // Asked before this thread is pinned.
    let cpus = allowed_cpus();
    let tasks = asked.tasks(&place.devices, &args.common.filter)?;
    let threads = place.devices.get("cpu").map_or(1, |device| device.threads() as u64);
    let (mut experiments, mut pairs): (Vec<(Vec<BenchmarkId>, Experiment)>, Vec<_>) = (Vec::new(), Vec::new());
    for task in &tasks {
        let id = &task.id;
        ensure!(
            id.int("batch").is_none() && !id.axes.contains_key("depths"),
            "--peer: another engine runs one sequence; leave -npl and --depths out"
        );
        let test = Test {
            n_prompt: id.int("n_prompt").unwrap_or(0),
            n_gen: id.int("n_gen").unwrap_or(0),
            depth: id.int("depth").unwrap_or(0),
            threads: id.int("threads").filter(|t| *t > 0).unwrap_or(threads),
            repetitions: args.repetitions,
        };
        if let Some(why) = engine.refuses(&test) {
            bail!("--peer {}: {why}", engine.name());
        }
        let mut more: Vec<OsString> = engine.usual(&id.device).iter().map(Into::into).collect();
        more.extend(args.peer.peer_arg.iter().map(Into::into));
        let given = Given { program: program.clone(), model: model.clone(), more, cpus: cpus.clone() };
        let ids = [id.clone(), duel::id(engine, &given, test, &id.device)];
        pairs.push((ids.clone(), test));
        let pair = Pair { ids: ids.clone(), engine, given, test, rounds: args.peer.rounds };
        experiments.push((ids.into(), Box::new(move |session, stop| duel::records(session, &pair, stop))));
    }
    let (verdict, run, folder) = elsewhere::measured(&args.common, policy, place, experiments)?;
    if args.common.json {
        common::document(&run);
    } else {
        ui::data(&table(&run, &pairs, engine.name()));
    }
    common::whereabouts(&args.common, &run, &folder);
    Ok(verdict)
}

/// The model for the other engine: the one named, or ours, where it reads such a one. Errors: none, or what it does not read.
fn model(engine: &dyn Engine, args: &Args) -> anyhow::Result<OsString> {
    let (name, wants) = (engine.name(), engine.model());
    let fits = |model: &&String| match engine.reads_gguf() {
        true => model.to_ascii_lowercase().ends_with(".gguf"),
        false => name != "ollama" && Path::new(model).is_dir(),
    };
    let model = args.peer.peer_model.clone().or_else(|| args.model.iter().find(fits).map(OsString::from));
    let Some(model) = model else { bail!("--peer: {name} needs a model; give {wants} with --peer-model") };
    if engine.reads_gguf() {
        let mut head = [0; 4];
        let opened = std::fs::File::open(&model).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
        let shown = clean(&model.to_string_lossy());
        ensure!(
            opened.is_ok() && &head == b"GGUF",
            "--peer-model {shown}: no GGUF file that can be read; give the model that {name} is to run"
        );
    }
    Ok(model)
}

/// Tokens a second of each sample.
fn rates(record: &Record) -> Vec<f64> {
    let of = |ns: &u64, m: &spark_results::Measurement| (m.work.items * m.iterations) as f64 * 1e9 / *ns as f64;
    record.measured().map_or_else(Vec::new, |m| m.samples_ns.iter().map(|ns| of(ns, m)).collect())
}

/// Both engines and their ratio, test by test.
fn table(run: &Run, pairs: &[([BenchmarkId; 2], Test)], engine: &str) -> String {
    let mut out = format!(
        "| test | threads | this engine, t/s | {engine}, t/s | this ÷ {engine} (95 %) | this engine, tok/J | {engine}, tok/J |\n\
         | ---- | ------: | ---------------: | ---------------: | ------------------------: | ---: | ---: |\n"
    );
    let joules = |record: &Record| tokens_per_joule(&Entry::of(record, run.simulated(&record.id.device)));
    let mut without = None;
    let mut version = None;
    for (ids, test) in pairs {
        let found = ids.each_ref().map(|id| run.records.iter().find(|r| r.id == *id));
        let cell = |record: Option<&Record>| match record {
            None => "not reached".to_owned(),
            Some(record) => {
                let rates = rates(record);
                match (mean(&rates), deviation(&rates)) {
                    (Some(mean), Some(spread)) => format!("{mean:.2} ± {spread:.2}"),
                    (Some(mean), None) => format!("{mean:.2}"),
                    _ => format!(
                        "{}: {}",
                        record.status(),
                        clean(record.reason().unwrap_or_default()).replace('|', "\\|")
                    ),
                }
            }
        };
        let sets = found.map(|record| record.map(rates).unwrap_or_default());
        let [ours, theirs] = sets.each_ref().map(|set| stats::estimate(set).map(|e| (e.median, e.ci95)));
        let ratio = theirs.zip(ours).and_then(|(theirs, ours)| stats::ratio(theirs, ours));
        let ratio = ratio.map_or("n/a".to_owned(), |ratio| match ratio.ci95 {
            Some([low, high]) => format!("{:.3} ({low:.3} … {high:.3})", ratio.ratio),
            None => format!("{:.3}", ratio.ratio),
        });
        let per_joule = found.map(|record| match record.filter(|r| r.measured().is_some()).map(joules) {
            Some(Ok(rate)) => digits(rate),
            Some(Err(why)) => {
                without.get_or_insert(why);
                "n/a".to_owned()
            }
            None => "n/a".to_owned(),
        });
        let [ours, theirs] = found.map(cell);
        out += &format!(
            "| {} | {} | {ours} | {theirs} | {ratio} | {} |\n",
            name(test),
            test.threads,
            per_joule.join(" | ")
        );
        let facts = found[1].and_then(Record::measured).map(|m| &m.facts);
        version = version.or(facts.and_then(|f| f.get("version").cloned()));
    }
    let version = version.map(|version| format!("{engine}: {version}"));
    let without = without.map(|why| format!("tok/J n/a: {}", clean(&why)));
    let below: Vec<String> = version.into_iter().chain(without).collect();
    if below.is_empty() { out } else { format!("{out}\n{}\n", below.join("\n")) }
}

fn name(test: &Test) -> String {
    let base = match (test.n_prompt, test.n_gen) {
        (prompt, 0) => format!("pp{prompt}"),
        (0, answer) => format!("tg{answer}"),
        (prompt, answer) => format!("pp{prompt}+tg{answer}"),
    };
    if test.depth > 0 { format!("{base} @ d{}", test.depth) } else { base }
}
