//! `spark-bench agent`: a deterministic loop of a model and its tools, and how long a person waits.

use super::common::{self, Common};
use super::{Verdict, ui};
use crate::plan;
use anyhow::bail;
use spark_results::AxisValue;
use spark_workloads::axis::list;
use spark_workloads::{Request, agent::AGENT, suite};
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model: a preset name (spark-bench list models), a config.json or a folder with one
    #[arg(long, short, value_name = "LIST", default_value = "llama-3.2-1b")]
    model: String,
    /// Formats of the weights: mxfp4, nvfp4, fp8, q8_0, q4_0, bf16, f32
    #[arg(long, value_name = "LIST", default_value = "mxfp4")]
    format: String,
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
    #[command(flatten)]
    common: Common,
}

impl Args {
    fn request(&self) -> anyhow::Result<Request> {
        let given = [
            ("model", Some(&self.model)),
            ("format", Some(&self.format)),
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

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
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
    if args.common.json {
        common::document(&run);
    } else if !args.common.quiet {
        ui::data(&spark_reports::text(&run, ui::coloured()));
    }
    common::whereabouts(&args.common, &run, &folder);
    Ok(verdict)
}
