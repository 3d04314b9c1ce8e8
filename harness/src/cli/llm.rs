//! `spark-bench llm`: a decoder end to end, in llama-bench's grammar and with its rows.

mod argv;
mod asked;
mod fields;
mod markdown;
pub(super) mod numbers;
mod peer;
mod row;
mod write;

use super::common::{self, Common};
use super::{Verdict, ui};
use anyhow::bail;
use asked::Asked;
use row::Row;
use spark_results::Record;
use spark_workloads::suite::Policy;

pub(super) use argv::long_forms;
pub(super) use write::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Models: a .gguf file, a folder with safetensors, a preset (spark-bench list models) or a Hugging Face config.json, the last two on synthetic weights; repeatable, or a comma list
    #[arg(long, short, value_name = "MODEL", default_value = "llama-3.2-1b")]
    model: Vec<String>,
    /// Formats of synthetic weights: mxfp4, nvfp4, q8_0, q4_0, fp8, bf16, f32; files have their own
    #[arg(long, value_name = "LIST", default_value = "mxfp4")]
    format: Vec<String>,
    /// Tokens of a prompt, 0 for no such test; lists and ranges as 512,1024 or 512-4096*2 [default: 512]
    #[arg(long, short = 'p', value_name = "LIST")]
    n_prompt: Vec<String>,
    /// Tokens of an answer, 0 for no such test [default: 128]
    #[arg(long, short = 'n', value_name = "LIST")]
    n_gen: Vec<String>,
    /// A prompt and an answer in one test; also written -pg (repeatable)
    #[arg(long, value_name = "PP,TG")]
    pg: Vec<String>,
    /// Tokens that stand in the cache before a test, as 0-8192+2048; they are seeded, not prefilled [default: 0]
    #[arg(long, short = 'd', value_name = "LIST")]
    n_depth: Vec<String>,
    /// Sequences run together; also written -npl [default: 1]
    #[arg(long, value_name = "LIST")]
    batch: Vec<String>,
    /// Depths of a batch: same, or ragged, seeded from 0 to the depth asked for [default: same]
    #[arg(long, value_name = "LIST")]
    depths: Vec<String>,
    /// Which experts tokens are given to, where a model has any: router, or drawn: uniform or zipf [default: router]
    #[arg(long, value_name = "LIST")]
    routing: Vec<String>,
    /// How often each test is repeated
    #[arg(long, short, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    repetitions: u64,
    /// Type of cached keys: bf16, f32, int8 (also q8_0) or fp8; also written -ctk [default: bf16]
    #[arg(long, value_name = "LIST")]
    cache_type_k: Vec<String>,
    /// Type of cached values, the same as that of the keys; also written -ctv
    #[arg(long, value_name = "LIST")]
    cache_type_v: Vec<String>,
    /// Format of embedding and head
    #[arg(long, value_name = "LIST", default_value = "q8_0")]
    head: Vec<String>,
    /// What the projections' inputs are rounded to: usual (int8 for block formats, bf16 for fp8), f32, bf16, int8, int8g32, fp8, mxfp4, nvfp4
    #[arg(long, value_name = "LIST", default_value = "usual")]
    activations: Vec<String>,
    /// How rows are written to stdout
    #[arg(long, short, value_enum, default_value = "md", conflicts_with = "json")]
    output: write::Output,
    /// Add what llama-bench's fields do not hold: energy, clock, interval, share of the roof, bytes a token
    #[arg(long)]
    extended: bool,
    #[command(flatten)]
    peer: peer::Peer,
    #[command(flatten)]
    meaningless: Meaningless,
    #[command(flatten)]
    common: Common,
}

/// llama-bench's flags that have nothing to act on here.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Accepted for llama-bench's sake")]
struct Meaningless {
    /// Also written -b
    #[arg(long, short, value_name = "N", allow_hyphen_values = true)]
    batch_size: Vec<String>,
    /// Also written -ub
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    ubatch_size: Vec<String>,
    /// Also written -ngl
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    n_gpu_layers: Vec<String>,
    /// Also written -fa
    #[arg(long, value_name = "0|1", allow_hyphen_values = true)]
    flash_attn: Vec<String>,
    /// Also written -mmp
    #[arg(long, value_name = "0|1", allow_hyphen_values = true)]
    mmap: Vec<String>,
    /// Also written -sm
    #[arg(long, value_name = "MODE", allow_hyphen_values = true)]
    split_mode: Vec<String>,
}

impl Meaningless {
    /// A sentence for each that was given.
    fn said(&self) -> impl Iterator<Item = &'static str> {
        [
            (&self.batch_size, "-b means nothing here: a prompt runs in passes of at most 512 rows"),
            (&self.ubatch_size, "-ub means nothing here: a prompt runs in passes of at most 512 rows"),
            (&self.n_gpu_layers, "-ngl means nothing here: a model runs wholly on one device; choose it with --device"),
            (&self.flash_attn, "-fa means nothing here: attention never stores its scores"),
            (&self.mmap, "-mmp means nothing here: files of weights are always mapped while they are packed"),
            (&self.split_mode, "-sm means nothing here: a model runs wholly on one device"),
        ]
        .into_iter()
        .filter(|(given, _)| !given.is_empty())
        .map(|(_, said)| said)
    }
}

/// The rows of `run` that llama-bench has a form for, as it writes them, and how many records have none.
pub(super) fn rows_of(run: &spark_results::Run, output: Output) -> anyhow::Result<(String, usize)> {
    let is_ours = |r: &&Record| matches!(r.id.workload.as_str(), "prefill" | "decode") && r.measured().is_some();
    let real = |r: &&Record| is_ours(r) && !run.simulated(&r.id.device);
    let rows: Vec<Row> =
        run.records.iter().filter(real).map(|r| Row::of(r, &run.manifest)).collect::<anyhow::Result<_>>()?;
    Ok((write::text(output, &rows, false), run.records.len() - rows.len()))
}

/// A test has as many repetitions as were asked for, however long they take: this only ends what would outlast a week.
const DAY_MS: u64 = 24 * 3600 * 1000;

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let voice = args.common.voice();
    let asked = Asked::of(args)?;
    let most = asked.threads.iter().max().map(|t| *t as usize);
    let place = common::place(most, &args.common.device)?;
    let tasks = asked.tasks(&place.devices, &args.common.filter)?;
    args.meaningless.said().for_each(|said| voice.say(said));
    if args.cache_type_k.is_empty() != args.cache_type_v.is_empty() {
        voice.say("keys and values have one type here: what was given for one is taken for both");
    }
    if asked.synthetic() {
        voice.say(format!(
            "weights are synthetic, seed {}: true shapes and sizes, values made up; the speed is real, an answer would not be",
            args.common.seed
        ));
    }
    let policy = Policy {
        warmup_ms: 100,
        warmup_iterations: 1,
        samples_min: args.repetitions,
        samples_max: args.repetitions,
        sample_us: 0,
        interval: 0.005,
        time_ms: DAY_MS,
    };
    if let Some(path) = &args.peer.peer {
        return peer::act(args, path, &asked, policy, place);
    }
    let (verdict, run, folder) = common::measured(&args.common, None, policy, place, &tasks)?;
    // A run that was resumed may hold more than was asked for now.
    let records: Vec<&Record> = tasks.iter().filter_map(|t| run.records.iter().find(|r| r.id == t.id)).collect();
    if args.common.json {
        common::document(&run);
    } else {
        let rows = records.iter().map(|r| Row::of(r, &run.manifest)).collect::<anyhow::Result<Vec<_>>>()?;
        ui::data(&write::text(args.output, &rows, args.extended));
        if args.output != write::Output::Md && !args.extended {
            for record in records.iter().filter(|r| r.measured().is_none()) {
                // llama-bench has no row for what was not measured.
                voice.warn(format!("{}: {}: {}", record.id, record.status(), record.reason().unwrap_or_default()));
            }
        }
    }
    common::whereabouts(&args.common, &run, &folder);
    if verdict == Verdict::Fine && records.iter().all(|r| r.status() == "skipped") {
        let why = records.first().and_then(|r| r.reason()).unwrap_or("no test was reached");
        bail!("nothing could be run: {why}");
    }
    Ok(verdict)
}
