//! `spark-bench agent`: a deterministic loop of a model and its tools, and how long a person waits.

use super::common::{self, Common};
use super::endpoint::{self, Reach};
use super::llm::numbers::lists;
use super::{Verdict, ui};
use crate::plan;
use anyhow::{bail, ensure};
use spark_results::machine::clean;
use spark_results::{AxisValue, Run};
use spark_workloads::axis::list;
use spark_workloads::peer::endpoint::{Plan, Talk, Task};
use spark_workloads::{Request, Trial, agent::AGENT, suite};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model: a preset name (spark-bench list models), a config.json or a folder with one [default: llama-3.2-1b]
    #[arg(long, short, value_name = "LIST")]
    model: Option<String>,
    /// Formats of the weights: mxfp4, nvfp4, fp8, q8_0, q4_0, bf16, f32 [default: mxfp4]
    #[arg(long, value_name = "LIST", conflicts_with = "endpoint")]
    format: Option<String>,
    /// Turns of the task [default: 8]
    #[arg(long, value_name = "LIST")]
    turns: Option<String>,
    /// Tokens of the task, read in the first turn [default: 512]
    #[arg(long, short = 'p', value_name = "LIST")]
    n_prompt: Option<String>,
    /// Tokens that the model says a turn [default: 32]
    #[arg(long, short = 'n', value_name = "LIST")]
    n_gen: Option<String>,
    /// Tokens that a tool answers, read in the next turn [default: 128]
    #[arg(long, value_name = "LIST")]
    n_tool: Option<String>,
    /// Milliseconds that a tool takes [default: 20]
    #[arg(long, value_name = "LIST")]
    tool_ms: Option<String>,
    /// on: only what is new is read each turn; off: the whole history; on,off shows what a prefix cache is worth
    #[arg(long, value_name = "LIST", default_value = "on,off")]
    cache: String,
    /// How often the task is done
    #[arg(long, short = 'r', value_name = "N", default_value = "3")]
    repetitions: String,
    /// Ask a server instead of this engine: http://HOST:PORT or https://HOST; -m is then its model's name
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    common: Common,
}

/// What is decoded where nothing is named.
const USUAL: &str = "llama-3.2-1b";

impl Args {
    fn request(&self) -> anyhow::Result<Request> {
        let usual = USUAL.to_owned();
        let given = [
            ("model", Some(self.model.as_ref().unwrap_or(&usual))),
            ("format", self.format.as_ref()),
            ("turns", self.turns.as_ref()),
            ("n_prompt", self.n_prompt.as_ref()),
            ("n_gen", self.n_gen.as_ref()),
            ("n_tool", self.n_tool.as_ref()),
            ("tool_ms", self.tool_ms.as_ref()),
            ("cache", Some(&self.cache)),
            ("tasks", Some(&self.repetitions)),
        ];
        let mut axes: BTreeMap<String, Vec<AxisValue>> = BTreeMap::new();
        for (name, text) in given {
            if let Some(text) = text {
                axes.insert(name.to_owned(), list(name, text)?);
            }
        }
        Ok(Request { axes, implementation: String::new() })
    }
}

impl Args {
    /// The tasks to ask a server for: every combination. Errors: what cannot be.
    fn talks(&self, model: &str) -> anyhow::Result<Vec<(Plan, Task)>> {
        let one = |name: &str, text: Option<&String>, usual: u64, least: u64| -> anyhow::Result<Vec<u64>> {
            let all = lists(name, &text.into_iter().cloned().collect::<Vec<_>>(), usual)?;
            match all.iter().find(|n| !(least..=1 << 20).contains(*n)) {
                Some(n) => bail!("{name} {n}: it cannot be; from {least} to {}", 1 << 20),
                None => Ok(all),
            }
        };
        let (turns, prompts) = (one("--turns", self.turns.as_ref(), 8, 1)?, one("-p", self.n_prompt.as_ref(), 512, 1)?);
        let (answers, says) = (one("-n", self.n_gen.as_ref(), 32, 1)?, one("--n-tool", self.n_tool.as_ref(), 128, 1)?);
        let takes = one("--tool-ms", self.tool_ms.as_ref(), 20, 0)?;
        let tasks = one("-r", Some(&self.repetitions), 3, 1)?;
        let caches = self.cache.split(',').map(|text| match text.trim() {
            "on" => Ok(true),
            "off" => Ok(false),
            other => bail!("--cache '{}': it is on, off or on,off", clean(other)),
        });
        let (caches, mut all) = (caches.collect::<anyhow::Result<Vec<_>>>()?, Vec::new());
        for (cache, turns, n_prompt, n_gen, n_tool, tool, tasks) in caches.iter().flat_map(|cache| {
            product(&[&turns, &prompts, &answers, &says, &takes, &tasks])
                .into_iter()
                .map(|v| (*cache, v[0], v[1], v[2], v[3], v[4], v[5]))
        }) {
            let seed = self.reach.seed().wrapping_add(all.len() as u64);
            let plan = Plan::in_a_loop(self.reach.api(), model, n_prompt, n_gen, cache, self.reach.plain, seed);
            all.push((plan, Task { turns, n_tool, tool: Duration::from_millis(tool), tasks }));
        }
        ensure!(
            all.len() <= 1000,
            "these lists multiply out to {} tasks; at most 1000 are taken: give fewer values",
            all.len()
        );
        Ok(all)
    }
}

/// Every combination of one value of each list.
fn product(lists: &[&Vec<u64>]) -> Vec<Vec<u64>> {
    lists.iter().fold(vec![Vec::new()], |done, list| {
        let with = |one: &Vec<u64>, value: &u64| one.iter().chain([value]).copied().collect();
        done.iter().flat_map(|one| list.iter().map(move |value| with(one, value))).collect()
    })
}

/// The loop against a server.
fn elsewhere(args: &Args, url: &str) -> anyhow::Result<Verdict> {
    let reached = args.reach.reach(url)?;
    args.talks("")?;
    let model = reached.model(args.model.as_deref())?;
    let talks = args.talks(&model)?;
    let Some((first, _)) = talks.first() else { bail!("nothing to run: a list is empty") };
    let length = endpoint::learnt(&reached, first, args.common.voice())?;
    let policy = suite::named("standard")?.measure;
    let place = common::place(args.common.one_thread_count()?, &args.common.device)?;
    let mut experiments = Vec::new();
    for (plan, task) in talks {
        let id = Talk::id(&plan, &task, &reached.device, reached.client.base().host());
        let client = reached.client.clone();
        let trial =
            move || -> Box<dyn Trial> { Box::new(Talk::new(client.clone(), plan.clone(), task.clone(), length)) };
        experiments.push((vec![id.clone()], endpoint::experiment(&reached, id, trial)));
    }
    let (verdict, run, folder) = super::elsewhere::measured(&args.common, policy, place, experiments)?;
    told(args, &run, &folder);
    Ok(verdict)
}

fn told(args: &Args, run: &Run, folder: &Path) {
    if args.common.json {
        common::document(run);
    } else if !args.common.quiet {
        ui::data(&spark_reports::text(run, ui::coloured()));
    }
    common::whereabouts(&args.common, run, folder);
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    if let Some(url) = &args.endpoint {
        return elsewhere(args, url);
    }
    let policy = suite::named("standard")?.measure;
    let (place, tasks) = match args.common.resumed()? {
        Some(manifest) => {
            let place = common::place_again(&manifest)?;
            let tasks = plan::again(&manifest.planned, &place.devices)?;
            (place, tasks)
        }
        None => {
            let place = common::place(args.common.one_thread_count()?, &args.common.device)?;
            let mut tasks = Vec::new();
            plan::add(&mut tasks, &AGENT, &args.request()?, &place.devices, &args.common.filter)?;
            (place, tasks)
        }
    };
    let available = place.machine.memory.available_bytes.unwrap_or(u64::MAX);
    if let [task] = &tasks[..]
        && let Some(why) = task.declined(available)
    {
        bail!("{}: {why}", task.id);
    }
    let (verdict, run, folder) = common::measured(&args.common, None, policy, place, &tasks)?;
    told(args, &run, &folder);
    Ok(verdict)
}
