//! `agent`: a loop of a model and its tools, turn by turn, as a person waits for it: growing history, short answers.

mod turns;

use crate::axis::{self, Axis, BadRequest, Request};
use crate::llm::DECODE;
use crate::llm::arguments::{self, Case};
use crate::llm::cases;
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::Device;
use spark_results::{Axes, BenchmarkId};
use std::sync::Arc;
use std::time::Duration;
use turns::{Loop, Shape};

/// The workload `agent`.
pub static AGENT: Agent = Agent;

/// A task of several turns.
#[derive(Clone, Copy, Debug)]
pub struct Agent;

const AXES: &[Axis] = &[
    arguments::ACTIVATIONS,
    Axis {
        name: "cache",
        about: "on: only what is new of the history is read each turn; off: all of it",
        default: "on",
    },
    Axis {
        name: "format",
        about: "weights of the layers: mxfp4, nvfp4, q8_0, q4_0, fp8, bf16 or f32",
        default: "mxfp4",
    },
    arguments::HEAD,
    arguments::KV,
    Axis { name: "model", about: "a preset, a config.json or a folder with one", default: "tiny" },
    Axis { name: "n_gen", about: "tokens that the model says a turn", default: "32" },
    Axis { name: "n_prompt", about: "tokens of the task, read in the first turn", default: "512" },
    Axis { name: "n_tool", about: "tokens that a tool answers, read in the next turn", default: "128" },
    Axis { name: "tasks", about: "how often the whole is done", default: "3" },
    arguments::THREADS,
    Axis { name: "tool_ms", about: "how long a tool takes, in milliseconds", default: "20" },
    Axis { name: "turns", about: "turns of a task", default: "8" },
];
/// Axes that the decoder under the loop has, too.
const SHARED: [&str; 7] = ["activations", "format", "head", "kv", "model", "n_gen", "threads"];
/// More turns than this are no task that a person waits for.
const MOST_TURNS: usize = 10_000;

/// The decoder that `axes` ask for, with room for the whole history, and the loop around it. Errors: what cannot be.
fn case(axes: &Axes, implementation: &str) -> Result<(Case, Shape), BadRequest> {
    let axes = &axis::filled(axes, AXES)?;
    let size = |name| axis::size(axes, name);
    let cache = match axis::name(axes, "cache")?.as_str() {
        "on" => true,
        "off" => false,
        other => {
            let other = spark_results::machine::clean(other);
            return Err(BadRequest(format!("cache is '{other}'; it is on or off")));
        }
    };
    let shape = Shape {
        turns: size("turns")?,
        n_prompt: size("n_prompt")?,
        n_gen: size("n_gen")?,
        n_tool: size("n_tool")?,
        tool: Duration::from_millis(axis::count(axes, "tool_ms")? as u64),
        tasks: size("tasks")?,
        cache,
    };
    if shape.turns > MOST_TURNS || shape.tasks > MOST_TURNS {
        return Err(BadRequest(format!("turns and tasks are at most {MOST_TURNS}; give fewer")));
    }
    if shape.tool > Duration::from_secs(3600) {
        return Err(BadRequest("tool_ms is more than an hour; give at most 3600000".to_owned()));
    }
    let mut own: Axes =
        axes.iter().filter(|(name, _)| SHARED.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect();
    own.insert("n_prompt".to_owned(), (shape.history() as u64).into());
    Ok((Case::parse(&own, DECODE.axes(), implementation)?, shape))
}

impl Workload for Agent {
    fn name(&self) -> &'static str {
        "agent"
    }
    fn about(&self) -> &'static str {
        "a task of several turns of model and tool: how long a person waits, and what for"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        DECODE.implementations(device)
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        cases::around(self.name(), AXES, request, device, |axes| {
            let (_, shape) = case(axes, "best")?;
            let history = (shape.history() as u64).into();
            cases::around_decoding(axes, &SHARED, &[("n_prompt", history)], request, device)
        })
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let (case, shape) = case(&id.axes, &id.implementation)?;
        Ok(case.footprint(&shape.work(), device))
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        // A task is a person's time, of which no roof is a measure.
        false
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Body, Decline> {
        let (mut case, shape) = case(&id.axes, &id.implementation)?;
        let device = case.device(device)?;
        let model = case.load(&device, seed, memory)?;
        Ok(Body::Trial(Box::new(Loop::new(case, shape, model, device))))
    }
}
