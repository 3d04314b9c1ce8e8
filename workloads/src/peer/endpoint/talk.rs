//! The agent's loop against a server: a history that grows by answers and by what tools say, asked turn by turn.

use super::prompt::{self, Length};
use super::wire::Client;
use super::{Api, Load, Plan, reopen};
use crate::trial::{Beat, Lab, Observed, Trial};
use spark_kernels::Fault;
use spark_results::record::{Better, Cache, Check, Metric};
use spark_results::serving::Request;
use spark_results::{BenchmarkId, Work, stats};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A task of several turns.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Turns.
    pub turns: u64,
    /// Tokens that a tool says.
    pub n_tool: u64,
    /// How long a tool takes.
    pub tool: Duration,
    /// How often the task is done.
    pub tasks: u64,
}

/// A task asked of a server. Of the plan, `n_prompt` is the task's length, `n_gen` an answer's, and `cache` says whether a turn
/// begins as the one before; the rest of it is of no use here.
#[derive(Debug)]
pub struct Talk {
    client: Arc<Client>,
    plan: Plan,
    task: Task,
    length: Length,
    tokens: u64,
}

impl Talk {
    /// `task` asked of `client`'s server.
    pub fn new(client: Arc<Client>, plan: Plan, task: Task, length: Length) -> Self {
        Self { client, plan, task, length, tokens: 0 }
    }
    /// Its id. `device` is where the server works, `host` what it is called.
    pub fn id(plan: &Plan, task: &Task, device: &str, host: &str) -> BenchmarkId {
        let id = BenchmarkId::new("agent", device, host)
            .with("cache", if plan.cache { "on" } else { "off" })
            .with("model", plan.model.as_str())
            .with("n_gen", plan.n_gen)
            .with("n_prompt", plan.n_prompt)
            .with("n_tool", task.n_tool)
            .with("tasks", task.tasks)
            .with("tool_ms", task.tool.as_millis() as u64)
            .with("turns", task.turns);
        if plan.api == Api::Chat { id.with("api", "chat") } else { id }
    }

    /// One task, its requests appended to `all`. Returns the time that tools took. Errors: a turn that was not answered.
    fn once(&self, number: u64, lab: &mut dyn Lab, epoch: Instant, all: &mut Vec<Request>) -> Result<Duration, String> {
        let (plan, task, go_on) = (&self.plan, &self.task, AtomicBool::new(false));
        let stream = |turn: u64| (number << 20) + turn;
        let words = |tokens: u64| ((tokens as f64 / self.length.each).round() as u64).max(1);
        let mut history = prompt::words(plan.seed, stream(0), self.length.words(plan.n_prompt));
        let mut tools = Duration::ZERO;
        for turn in 0..task.turns {
            let text = match plan.cache {
                true => history.clone(),
                // A beginning of its own: nothing of the turn before can be taken from a cache.
                false => format!("{} {history}", prompt::words(plan.seed, prompt::SHARED + stream(turn), 8)),
            };
            let body = prompt::body(plan, &text, plan.n_gen);
            let due = epoch.elapsed().as_nanos() as u64;
            let (request, said) = self.client.talk(plan.api, &body, due, epoch, &go_on);
            let error = request.error.clone();
            all.push(request);
            if let Some(error) = error {
                return Err(error);
            }
            history.push(' ');
            history.push_str(said.trim());
            if turn + 1 < task.turns {
                let began = lab.now();
                lab.wait(task.tool);
                tools += lab.now() - began;
                history.push(' ');
                history.push_str(&prompt::words(plan.seed, prompt::UNCOUNTED + stream(turn), words(task.n_tool)));
            }
            if lab.stopped() {
                break;
            }
        }
        Ok(tools)
    }
}

impl Trial for Talk {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        Ok(None)
    }

    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let epoch = Instant::now().checked_sub(lab.now()).unwrap_or_else(Instant::now);
        let mut seen = Observed { iterations: 1, ..Observed::default() };
        let (mut tools, reopened) = (Duration::ZERO, self.client.reopened());
        for number in 1..=self.task.tasks {
            if lab.stopped() {
                break;
            }
            let began = lab.now();
            match self.once(number, lab, epoch, &mut seen.requests) {
                Ok(time) => tools += time,
                Err(why) => {
                    seen.notes.push(format!("task {number} broke off: {why}"));
                    continue;
                }
            }
            lab.phase(&format!("task {number}"), began, Work::default());
            seen.at_ns.push(began.as_nanos() as u64);
            seen.samples_ns.push(((lab.now() - began).as_nanos() as u64).max(1));
            lab.tell(&Beat { doing: format!("task {number} of {}", self.task.tasks), ..Beat::default() });
        }
        let answered: Vec<&Request> = seen.requests.iter().filter(|r| r.error.is_none()).collect();
        self.tokens = answered.iter().map(|r| r.tokens()).sum::<u64>() / (seen.samples_ns.len() as u64).max(1);
        if seen.samples_ns.is_empty() {
            let why = seen.notes.first().cloned().unwrap_or_default();
            return if why.is_empty() { Ok(None) } else { Err(Fault::Device(why)) };
        }
        seen.notes.extend(reopen::note(self.client.reopened() - reopened));
        let (first, whole): (f64, f64) =
            (answered.iter().filter_map(|r| r.ttft_ns()).sum(), answered.iter().map(|r| r.e2e_ns()).sum());
        let turns = stats::sorted(&answered.iter().map(|r| r.e2e_ns()).collect::<Vec<_>>());
        let all = (whole + tools.as_nanos() as f64).max(1.0);
        let metric = |name: &str, value: f64, unit: &str, better| Metric {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            better,
        };
        seen.metrics = vec![
            metric("turn p50", stats::quantile(&turns, 0.5), "ns", Better::Lower),
            metric("turn p95", stats::quantile(&turns, 0.95), "ns", Better::Lower),
            metric("share to the first token", 100.0 * first / all, "%", Better::Neither),
            metric("share of further tokens", 100.0 * (whole - first) / all, "%", Better::Neither),
            metric("share of tools", 100.0 * tools.as_nanos() as f64 / all, "%", Better::Neither),
        ];
        Ok(Some(seen))
    }

    fn work(&self) -> Work {
        Work { items: self.tokens, item: "token".to_owned(), ..Work::default() }
    }

    fn cache(&self) -> Cache {
        if self.plan.cache { Cache::Warm } else { Cache::Cold }
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let begins = match self.plan.cache {
            true => "each turn begins as the one before, so that the server's prefix cache may help: cache on",
            false => "each turn begins with words of its own, so that no prefix cache helps: cache off",
        };
        [
            ("prompts", begins.to_owned()),
            ("prompt_seed", self.plan.seed.to_string()),
            ("api", self.plan.api.name().to_owned()),
            ("tool", "it waits and says drawn words: its time is asked for, not worked".to_owned()),
            ("clock", "read where bytes arrive".to_owned()),
            ("answers", "not compared with anything: another engine's".to_owned()),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .into()
    }
}

impl Plan {
    /// A plan whose load is a loop's: one request after another.
    pub fn in_a_loop(api: Api, model: &str, n_prompt: u64, n_gen: u64, cache: bool, plain: bool, seed: u64) -> Self {
        Self {
            api,
            model: model.to_owned(),
            n_prompt,
            n_gen,
            depth: 0,
            load: Load::Together(1),
            requests: 1,
            warmup: 0,
            cache,
            plain,
            seed,
            limits_ms: BTreeMap::new(),
        }
    }
}
