//! `decode`: how fast tokens are generated, each from the one before.

use crate::axis::{Axis, BadRequest, Request};
use crate::llm::Model;
use crate::llm::arguments::{self, Case};
use crate::llm::cases;
use crate::llm::parts;
use crate::llm::prefill::{self, choose_cache, pages};
use crate::llm::touched::Touched;
use crate::workload::{Body, Decline, Footprint, Roofs, Step, Workload};
use spark_kernels::{Device, Fault};
use spark_results::record::{Cache, Check, OpTime};
use spark_results::{BenchmarkId, Work};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The workload `decode`.
pub static DECODE: Decode = Decode;

/// Tokens generated one after another, choosing included.
#[derive(Clone, Copy, Debug)]
pub struct Decode;

const AXES: &[Axis] = &[
    arguments::ACTIVATIONS,
    arguments::BATCH,
    Axis { name: "depth", about: "tokens that stand in the cache before the first", default: "0" },
    arguments::DEPTHS,
    Axis {
        name: "format",
        about: "weights of the layers: mxfp4, nvfp4, q8_0, q4_0, fp8, bf16 or f32",
        default: "mxfp4",
    },
    arguments::HEAD,
    arguments::KV,
    Axis { name: "model", about: "a preset, a .gguf file, a config.json, or a folder with one", default: "tiny" },
    Axis { name: "n_gen", about: "tokens generated of each sequence, one sample", default: "128" },
    arguments::N_PROMPT,
    arguments::ROUTING,
    arguments::THREADS,
];

impl Workload for Decode {
    fn name(&self) -> &'static str {
        "decode"
    }
    fn about(&self) -> &'static str {
        "tokens a second of generating, the choice of each token included"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        cases::implementations(AXES, device)
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        cases::cases(self.name(), AXES, request, device)
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let case = Case::parse(&id.axes, AXES, &id.implementation)?;
        Ok(case.footprint(&work(&case, expected_blocks(&case)), device))
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Body, Decline> {
        let mut case = Case::parse(&id.axes, AXES, &id.implementation)?;
        let device = case.device(device)?;
        let mut model = case.load(&device, seed, memory)?;
        if case.depth > 0 {
            model.seed_caches()?;
        }
        let (first, prompts) = (case.prompts(1).concat(), case.prompts(case.n_prompt));
        let (depths, touched, checked) = (case.depths(), Touched::default(), String::new());
        let mut step = Generating { case, model, first, prompts, depths, touched, device, checked };
        step.reset()?;
        Ok(Body::Step(Box::new(step)))
    }
}

/// Work of one iteration, which goes through `blocks` different feed-forward blocks: one token of every sequence, averaged over
/// the positions of a sample; or, with a prompt, the whole.
fn work(case: &Case, blocks: u64) -> Work {
    if case.n_prompt == 0 {
        return token(case, blocks);
    }
    let (prompt, token, n) = (prefill::work(case, blocks), token(case, 0), case.n_gen as u64);
    Work {
        flops: prompt.flops.saturating_add(n.saturating_mul(token.flops)),
        bytes: prompt.bytes.saturating_add(n.saturating_mul(token.bytes)),
        items: prompt.items + n * token.items,
        item: token.item,
    }
}

/// Feed-forward blocks that an iteration is expected to touch.
fn expected_blocks(case: &Case) -> u64 {
    let token = case.config.expected_blocks(case.settings.sequences as u64);
    if case.n_prompt == 0 {
        return token;
    }
    prefill::expected_blocks(case).saturating_add((case.n_gen as u64).saturating_mul(token))
}

/// Work of one token of every sequence, averaged over `n_gen` positions.
fn token(case: &Case, blocks: u64) -> Work {
    let (c, storage, n) = (&case.config, case.settings.storage(), case.n_gen);
    let first: Vec<usize> = case.depths().iter().map(|depth| depth + case.n_prompt).collect();
    let mean = |of: &dyn Fn(usize) -> u64| first.iter().map(|depth| of(*depth)).fold(0, u64::saturating_add) / n as u64;
    let rows = first.len() as u64 * case.sizes.row;
    Work {
        flops: mean(&|depth| c.generating_flops(n, depth)),
        bytes: case
            .sizes
            .touched(blocks)
            .saturating_add(case.sizes.head)
            .saturating_add(rows)
            .saturating_add(mean(&|depth| c.kv_bytes_read(n, depth, storage.kv))),
        items: first.len() as u64,
        item: "token".to_owned(),
    }
}

struct Generating {
    case: Case,
    model: Model,
    /// The first token of each sequence.
    first: Vec<u32>,
    /// What each sequence reads before; empty where nothing is read.
    prompts: Vec<Vec<u32>>,
    /// Tokens before each.
    depths: Vec<usize>,
    touched: Touched,
    device: Arc<dyn Device>,
    /// What the check compared.
    checked: String,
}

impl Step for Generating {
    fn reset(&mut self) -> Result<(), Fault> {
        self.model.rewind_each(&self.depths);
        self.model.set_next(&self.first)
    }
    fn run(&mut self) -> Result<(), Fault> {
        if self.case.n_prompt == 0 {
            self.model.decode()?;
        } else {
            // References only: a few bytes a sequence beside the prompt's work.
            let prompts: Vec<&[u32]> = self.prompts.iter().map(Vec::as_slice).collect();
            self.model.prefill(&prompts)?;
            self.model.sample()?;
            (0..self.case.n_gen).try_for_each(|_| self.model.decode())?;
        }
        self.touched.add();
        Ok(())
    }
    fn work(&self) -> Work {
        work(&self.case, self.touched.mean(&self.model).unwrap_or_else(|| expected_blocks(&self.case)))
    }
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        self.reset()?;
        let prompts: Vec<&[u32]> = self.prompts.iter().map(Vec::as_slice).collect();
        let findings = self.model.check((self.case.n_prompt > 0).then_some(prompts.as_slice()))?;
        self.model.forget_touched()?;
        self.touched = Touched::default();
        self.reset()?;
        self.checked = findings.to_string();
        Ok(findings.check())
    }
    fn digest(&mut self) -> Result<Option<u64>, Fault> {
        let mut sum = crate::soak::Digest::default();
        for sequence in 0..self.case.settings.sequences {
            for logit in self.model.logits(sequence)? {
                sum.add(&logit.to_bits().to_le_bytes());
            }
        }
        Ok(Some(sum.value()))
    }
    fn roofs(&self) -> Roofs {
        Roofs { memory: true, compute: Some(self.case.arithmetic(&*self.device)) }
    }
    fn cache(&self) -> Cache {
        choose_cache(&self.model, &*self.device)
    }
    fn pages(&self) -> Option<(u64, Option<u64>)> {
        pages(&self.model)
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.case.facts(&self.model, self.device.last_level_cache());
        facts.insert("sampling".into(), "greedy, inside the timing".into());
        facts.insert("check".into(), self.checked.clone());
        if self.case.n_prompt == 0 {
            facts.extend(self.touched.fact(&self.model, 1));
        }
        facts
    }
    /// Of a token alone: a prompt read before it is `prefill`'s to tell.
    fn parts(&mut self, iterations: usize) -> Result<Vec<OpTime>, Fault> {
        if self.case.n_prompt > 0 {
            return Ok(Vec::new());
        }
        self.reset()?;
        parts::timed(&mut self.model, iterations.min(self.case.n_gen), None)
    }
    fn iterations_a_sample(&self) -> Option<u64> {
        Some(if self.case.n_prompt == 0 { self.case.n_gen as u64 } else { 1 })
    }
}
