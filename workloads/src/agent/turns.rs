//! The loop: what is new is read, an answer is said token by token, a tool takes its time, and its words are new.

use crate::llm::Model;
use crate::llm::arguments::Case;
use crate::trial::{Beat, Lab, Observed, Trial};
use spark_kernels::{Device, Fault};
use spark_results::record::{Better, Cache, Check, Metric};
use spark_results::{Work, stats};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a task is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) turns: usize,
    /// Tokens of the task.
    pub(super) n_prompt: usize,
    /// Tokens of each answer.
    pub(super) n_gen: usize,
    /// Tokens of each tool's answer.
    pub(super) n_tool: usize,
    /// How long a tool takes.
    pub(super) tool: Duration,
    /// How often the task is done.
    pub(super) tasks: usize,
    /// Whether what was read stays read.
    pub(super) cache: bool,
}

impl Shape {
    /// Tokens before the last answer.
    pub(super) fn history(&self) -> usize {
        self.n_prompt.saturating_add((self.turns - 1).saturating_mul(self.n_gen.saturating_add(self.n_tool)))
    }
    /// What one task produces.
    pub(super) fn work(&self) -> Work {
        Work { items: (self.turns * self.n_gen) as u64, item: "token".to_owned(), ..Work::default() }
    }
    /// Tokens that are read in `turn`, from 0: the last token of an answer is chosen and not yet read.
    pub(super) fn reads(&self, turn: usize) -> usize {
        match (turn, self.cache) {
            (0, _) => self.n_prompt,
            (_, true) => 1 + self.n_tool,
            (turn, false) => self.n_prompt + turn * (self.n_gen + self.n_tool),
        }
    }
}

/// A model in the loop.
pub(super) struct Loop {
    case: Case,
    shape: Shape,
    model: Model,
    device: Arc<dyn Device>,
    /// What the tools say, turn by turn, and the task before them: seeded, the same each time.
    script: Vec<u32>,
    /// The answers of the first task: every other one has to give the same.
    said: Vec<u32>,
    checked: String,
    read: u64,
}

/// Where the time of a task goes.
#[derive(Clone, Debug, Default)]
struct Spent {
    prefill: Duration,
    decode: Duration,
    tool: Duration,
    turns_ns: Vec<f64>,
}

impl Loop {
    pub(super) fn new(case: Case, shape: Shape, model: Model, device: Arc<dyn Device>) -> Self {
        let script = case.prompts(shape.n_prompt + shape.turns * shape.n_tool).swap_remove(0);
        Self { case, shape, model, device, script, said: Vec::new(), checked: String::new(), read: 0 }
    }

    /// One task. Returns its answers.
    fn task(&mut self, lab: &mut dyn Lab, spent: &mut Spent) -> Result<Vec<u32>, Fault> {
        let Shape { turns, n_prompt, n_gen, n_tool, tool, cache, .. } = self.shape;
        let (mut history, mut said) = (self.script[..n_prompt].to_vec(), Vec::with_capacity(turns * n_gen));
        self.model.rewind(0);
        self.read = 0;
        for turn in 0..turns {
            let began = lab.now();
            let from = if cache { self.model.length(0) } else { 0 };
            self.model.rewind(from);
            let new = &history[from..];
            self.read += new.len() as u64;
            self.model.prefill(&[new])?;
            self.model.sample()?;
            let first = lab.now();
            history.push(self.model.next()?[0]);
            for _ in 1..n_gen {
                self.model.decode()?;
                history.push(self.model.next()?[0]);
            }
            said.extend_from_slice(&history[history.len() - n_gen..]);
            let answered = lab.now();
            // The last answer is for the person; no tool follows.
            if turn + 1 < turns {
                lab.wait(tool);
                let at = n_prompt + turn * n_tool;
                history.extend_from_slice(&self.script[at..at + n_tool]);
            }
            let ended = lab.now();
            spent.prefill += first - began;
            spent.decode += answered - first;
            spent.tool += ended - answered;
            spent.turns_ns.push((ended - began).as_nanos() as f64);
        }
        Ok(said)
    }
}

impl Trial for Loop {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        self.model.rewind(0);
        let prompt = &self.script[..self.shape.n_prompt];
        let findings = self.model.check(Some(&[prompt]))?;
        self.model.rewind(0);
        self.checked = findings.to_string();
        Ok(findings.check())
    }

    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let mut seen = Observed { iterations: 1, ..Observed::default() };
        let mut spent = Spent::default();
        for number in 1..=self.shape.tasks {
            if lab.stopped() {
                break;
            }
            let began = lab.now();
            let said = self.task(lab, &mut spent)?;
            let ended = lab.now();
            if self.said.is_empty() {
                self.said.clone_from(&said);
            }
            if said != self.said {
                return Err(Fault::Device(format!(
                    "task {number} was answered otherwise than the first: a defect of the engine"
                )));
            }
            lab.phase(&format!("task {number}"), began, self.work());
            seen.at_ns.push(began.as_nanos() as u64);
            seen.samples_ns.push(((ended - began).as_nanos() as u64).max(1));
            lab.tell(&Beat {
                doing: format!("task {number} of {}", self.shape.tasks),
                elapsed: ended,
                ..Beat::default()
            });
        }
        if seen.samples_ns.is_empty() {
            return Ok(None);
        }
        let all = (spent.prefill + spent.decode + spent.tool).as_secs_f64().max(1e-9);
        let turns = stats::sorted(&spent.turns_ns);
        let metric = |name: &str, value: f64, unit: &str, better| Metric {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            better,
        };
        seen.metrics = vec![
            metric("turn p50", stats::quantile(&turns, 0.5), "ns", Better::Lower),
            metric("turn p95", stats::quantile(&turns, 0.95), "ns", Better::Lower),
            metric("share of prefill", 100.0 * spent.prefill.as_secs_f64() / all, "%", Better::Neither),
            metric("share of decode", 100.0 * spent.decode.as_secs_f64() / all, "%", Better::Neither),
            metric("share of tools", 100.0 * spent.tool.as_secs_f64() / all, "%", Better::Neither),
            metric("tokens read a task", self.read as f64, "tokens", Better::Neither),
        ];
        Ok(Some(seen))
    }

    fn work(&self) -> Work {
        self.shape.work()
    }

    fn cache(&self) -> Cache {
        Cache::Warm
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.case.facts(&self.model, self.device.last_level_cache());
        let reads: Vec<_> = (0..self.shape.turns.min(12)).map(|turn| self.shape.reads(turn).to_string()).collect();
        let more = if self.shape.turns > 12 { " …" } else { "" };
        let answers = format!("the same {} tokens in each task", self.said.len());
        for (name, text) in [
            ("tokens_read_each_turn", format!("{}{more}", reads.join(" "))),
            ("sampling", "greedy, inside the timing".to_owned()),
            ("tool", "it waits and says seeded tokens: its time is asked for, not worked".to_owned()),
            ("answers", answers),
            ("check", self.checked.clone()),
        ] {
            facts.insert(name.to_owned(), text);
        }
        facts
    }
}
