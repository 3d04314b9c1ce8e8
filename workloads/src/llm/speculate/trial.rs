//! `speculate`: the same tokens with guesses and without, in turn, and what the guesses were worth.

use super::{Counts, Draft, begin, go_on};
use crate::axis::{self, Axis, BadRequest, Request};
use crate::llm::arguments::{self, Case};
use crate::llm::cases;
use crate::llm::{DECODE, Model};
use crate::trial::{Beat, Lab, Observed, Trial};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::{Device, Fault};
use spark_results::record::{Better, Cache, Check, Metric};
use spark_results::{Axes, BenchmarkId, Work, stats};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The workload `speculate`.
pub static SPECULATE: Speculate = Speculate;

/// Decoding with guesses.
#[derive(Clone, Copy, Debug)]
pub struct Speculate;

/// Guesses from the text so far.
pub(crate) const LOOKUP: &str = "lookup";
/// More guesses than this no pass is worth.
const MOST_GUESSES: usize = 64;
/// More rounds than this nobody waits for.
const MOST_ROUNDS: usize = 10_000;

const AXES: &[Axis] = &[
    arguments::ACTIVATIONS,
    Axis {
        name: "draft",
        about: "where guesses come from: lookup (the text so far), or a smaller model of the same vocabulary",
        default: LOOKUP,
    },
    Axis {
        name: "format",
        about: "weights of the layers: mxfp4, nvfp4, q8_0, q4_0, fp8, bf16 or f32",
        default: "mxfp4",
    },
    Axis { name: "guesses", about: "tokens guessed a pass, at most", default: "4" },
    arguments::HEAD,
    arguments::KV,
    Axis { name: "model", about: "a preset, a .gguf file, a config.json, or a folder with one", default: "tiny" },
    Axis { name: "n_gen", about: "tokens generated, one sample", default: "128" },
    Axis { name: "n_prompt", about: "tokens read before", default: "128" },
    Axis { name: "rounds", about: "how often both are done, in turn", default: "5" },
    arguments::THREADS,
];
/// Axes that the decoders under it have, too.
const SHARED: [&str; 8] = ["activations", "format", "head", "kv", "model", "n_gen", "n_prompt", "threads"];

/// What was asked for.
struct Asked {
    case: Case,
    /// The smaller model.
    small: Option<Case>,
    guesses: usize,
    rounds: usize,
}

/// The decoders that `axes` ask for. Errors: what cannot be.
fn asked(axes: &Axes, implementation: &str) -> Result<Asked, BadRequest> {
    let axes = &axis::filled(axes, AXES)?;
    let (guesses, rounds) = (axis::size(axes, "guesses")?, axis::size(axes, "rounds")?);
    if guesses > MOST_GUESSES || rounds > MOST_ROUNDS {
        let text =
            format!("guesses is {guesses} and rounds {rounds}; at most {MOST_GUESSES} and {MOST_ROUNDS} are taken");
        return Err(BadRequest(text));
    }
    let mut own = axes.clone();
    own.retain(|name, _| SHARED.contains(&name.as_str()));
    let mut case = Case::parse(&own, DECODE.axes(), implementation)?;
    case.verifies(guesses + 1);
    let draft = axis::name(axes, "draft")?;
    if draft == LOOKUP {
        return Ok(Asked { case, small: None, guesses, rounds });
    }
    own.insert("model".to_owned(), draft.as_str().into());
    let small = Case::parse(&own, DECODE.axes(), implementation)?;
    same_words(&case, &small)?;
    Ok(Asked { case, small: Some(small), guesses, rounds })
}

/// Errors: two models whose tokens are not the same.
pub(crate) fn same_words(case: &Case, small: &Case) -> Result<(), BadRequest> {
    let (one, other) = (case.config.vocab, small.config.vocab);
    if one == other {
        return Ok(());
    }
    let text = format!("the draft has {other} tokens and the model {one}; choose a smaller one of the same family");
    Err(BadRequest(text))
}

impl Workload for Speculate {
    fn name(&self) -> &'static str {
        "speculate"
    }
    fn about(&self) -> &'static str {
        "tokens a second with guesses that the model verifies, the same tokens as without"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        DECODE.implementations(device)
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        cases::around(self.name(), AXES, request, device, |axes| {
            asked(axes, "best")?;
            cases::around_decoding(axes, &SHARED, &[], request, device)
        })
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let Asked { case, small, .. } = asked(&id.axes, &id.implementation)?;
        let mut all = case.footprint(&work(&case), device);
        if let Some(small) = &small {
            let one = small.footprint(&work(small), device);
            all.bytes = all.bytes.saturating_add(one.bytes);
            all.setup = all.setup.saturating_add(one.setup);
        }
        Ok(all)
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        // How often the weights are read depends on the guesses: no roof is a measure of that.
        false
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Body, Decline> {
        let Asked { mut case, small, guesses, rounds } = asked(&id.axes, &id.implementation)?;
        let device = case.device(device)?;
        let model = case.load(&device, seed, memory)?;
        let (draft, named) = match small {
            None => (Draft::Lookup, "the text so far".to_owned()),
            Some(mut small) => {
                let named = axis::name(&id.axes, "draft")?;
                let left = memory.saturating_sub(model.resident());
                // Another seed would be other weights; the same model as its own draft is right every time.
                (Draft::Model(Box::new(small.load(&device, seed, left)?)), spark_results::machine::clean(&named))
            }
        };
        let prompt = case.prompts(case.n_prompt).swap_remove(0);
        let of = (guesses, rounds);
        Ok(Body::Trial(Box::new(Turns { case, model, draft, named, prompt, of, device, checked: String::new() })))
    }
}

/// Tokens behind the first; what reading them takes depends on the guesses.
fn work(case: &Case) -> Work {
    Work { items: case.n_gen as u64, item: "token".to_owned(), ..Work::default() }
}

/// Both ways in turn.
struct Turns {
    case: Case,
    model: Model,
    draft: Draft,
    named: String,
    prompt: Vec<u32>,
    /// Guesses a pass, rounds.
    of: (usize, usize),
    device: Arc<dyn Device>,
    checked: String,
}

impl Turns {
    /// One text: its tokens behind the prompt, what it took, and when it began and ended. The prompt and the first token are not in it.
    fn once(&mut self, plain: bool, lab: &dyn Lab) -> Result<(Vec<u32>, Counts, [u64; 2]), Fault> {
        let mut history = self.prompt.clone();
        begin(&mut self.model, &mut history)?;
        let mut none = Draft::None;
        let draft = if plain { &mut none } else { &mut self.draft };
        let began = lab.now().as_nanos() as u64;
        let counts = go_on(&mut self.model, draft, &mut history, (self.case.n_gen - 1, self.of.0), &|_| false)?;
        let ended = lab.now().as_nanos() as u64;
        Ok((history.split_off(self.prompt.len()), counts, [began, ended]))
    }
}

impl Trial for Turns {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        self.model.rewind(0);
        let findings = self.model.check(Some(&[&self.prompt]))?;
        self.model.rewind(0);
        self.checked = findings.to_string();
        Ok(findings.check())
    }

    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let mut seen = Observed { iterations: 1, ..Observed::default() };
        let (mut plain_ns, mut counts) = (Vec::new(), Counts::default());
        // The first of each does not count.
        let (expected, ..) = self.once(true, lab)?;
        for round in 0..=self.of.1 {
            if lab.stopped() {
                break;
            }
            for turn in 0..2 {
                let plain = (round + turn) % 2 == 0;
                let (said, took, [began, ended]) = self.once(plain, lab)?;
                if let Some(at) = (0..expected.len()).find(|at| said[*at] != expected[*at]) {
                    return Err(Fault::Device(format!(
                        "token {at} is {} with guesses and {} without: a pass of several rows rounds otherwise than one of a single row \
                         here, and rates of different texts are not compared; choose other activations, such as f32",
                        said[at], expected[at]
                    )));
                }
                let ns = (ended - began).max(1);
                match (round, plain) {
                    (0, _) => {}
                    (_, true) => plain_ns.push(ns as f64),
                    (_, false) => {
                        seen.at_ns.push(began);
                        seen.samples_ns.push(ns);
                        counts = took;
                    }
                }
            }
            lab.tell(&Beat { doing: format!("round {round} of {}", self.of.1), elapsed: lab.now(), ..Beat::default() });
        }
        if seen.samples_ns.is_empty() || plain_ns.is_empty() {
            return Ok(None);
        }
        let metric = |name: &str, value: f64, unit: &str, better| Metric {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            better,
        };
        let share = 100.0 * counts.accepted as f64 / counts.guessed.max(1) as f64;
        seen.metrics = vec![
            metric("guesses", counts.guessed as f64, "tokens", Better::Neither),
            metric("passes", counts.passes as f64, "passes", Better::Lower),
            metric("without guesses p50", stats::quantile(&stats::sorted(&plain_ns), 0.5), "ns", Better::Lower),
        ];
        if counts.guessed > 0 {
            seen.metrics.insert(0, metric("accepted", share, "%", Better::Higher));
        } else {
            seen.notes.push("nothing in the text repeated itself: no token was guessed".to_owned());
        }
        Ok(Some(seen))
    }

    fn work(&self) -> Work {
        Work { items: self.case.n_gen as u64 - 1, ..work(&self.case) }
    }

    fn cache(&self) -> Cache {
        Cache::Warm
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.case.facts(&self.model, self.device.last_level_cache());
        for (name, text) in [
            ("guesses", format!("from {}, at most {} a pass", self.named, self.of.0)),
            ("sampling", "greedy, inside the timing; the prompt and the first token are not".to_owned()),
            ("answers", "the same tokens with guesses and without, each time".to_owned()),
            ("check", self.checked.clone()),
        ] {
            facts.insert(name.to_owned(), text);
        }
        facts
    }
}
