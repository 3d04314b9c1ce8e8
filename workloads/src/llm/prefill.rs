//! `prefill`: how fast a prompt is read.

use crate::axis::{Axis, BadRequest, Request};
use crate::llm::Model;
use crate::llm::arguments::{self, Case};
use crate::llm::cases;
use crate::llm::parts;
use crate::llm::touched::Touched;
use crate::workload::{Body, Decline, Footprint, Roofs, Step, Workload};
use spark_kernels::{Device, Fault};
use spark_results::record::{Cache, Check, OpTime};
use spark_results::{BenchmarkId, Work};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The workload `prefill`.
pub static PREFILL: Prefill = Prefill;

/// Prompts run through a decoder; only the last token's logits are computed.
#[derive(Clone, Copy, Debug)]
pub struct Prefill;

const AXES: &[Axis] = &[
    arguments::ACTIVATIONS,
    arguments::BATCH,
    Axis { name: "depth", about: "tokens that stand in the cache before the prompt", default: "0" },
    arguments::DEPTHS,
    Axis {
        name: "format",
        about: "weights of the layers: mxfp4, nvfp4, q8_0, q4_0, fp8, bf16 or f32",
        default: "mxfp4",
    },
    arguments::HEAD,
    arguments::KV,
    Axis { name: "model", about: "a preset, a .gguf file, a config.json, or a folder with one", default: "tiny" },
    Axis { name: "n_prompt", about: "tokens of the prompt of each sequence", default: "512" },
    arguments::ROUTING,
    arguments::THREADS,
];

impl Workload for Prefill {
    fn name(&self) -> &'static str {
        "prefill"
    }
    fn about(&self) -> &'static str {
        "tokens a second of reading a prompt, logits of its last token only"
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
        model.rewind_each(&case.depths());
        let (prompts, depths) = (case.prompts(case.n_prompt), case.depths());
        let (touched, checked) = (Touched::default(), String::new());
        Ok(Body::Step(Box::new(Reading { case, model, prompts, depths, touched, device, checked })))
    }
}

/// Work of one prompt of every sequence, of which the passes together go through `blocks` different feed-forward blocks. Bytes:
/// each weight that is touched once a pass, keys and values read and appended, rows of the embedding.
pub(crate) fn work(case: &Case, blocks: u64) -> Work {
    let (c, n, depths) = (&case.config, case.n_prompt, case.depths());
    let (storage, sizes) = (case.settings.storage(), case.sizes);
    let passes = passes(case).count() as u64;
    let each = (n as u64 * (sizes.row + c.kv_bytes_per_token(storage.kv))).saturating_mul(depths.len() as u64);
    // What stood in the caches is read once, as the last token before the prompt saw it.
    let past = |depth: &usize| depth.checked_sub(1).map_or(0, |last| c.kv_bytes_read(1, last, storage.kv));
    let bytes = [passes.saturating_mul(sizes.shared), sizes.head, each];
    Work {
        flops: depths.iter().map(|depth| c.prefill_flops(n, *depth)).fold(0, u64::saturating_add),
        bytes: depths
            .iter()
            .map(past)
            .chain(bytes)
            .chain([blocks.saturating_mul(sizes.block)])
            .fold(0, u64::saturating_add),
        items: n as u64 * depths.len() as u64,
        item: "token".to_owned(),
    }
}

/// Rows of each pass.
fn passes(case: &Case) -> impl Iterator<Item = u64> {
    let (all, most) = (case.n_prompt as u64 * case.settings.sequences as u64, case.settings.rows as u64);
    (0..all).step_by(case.settings.rows).map(move |done| most.min(all - done))
}

/// Feed-forward blocks that the passes are expected to touch.
pub(crate) fn expected_blocks(case: &Case) -> u64 {
    passes(case).map(|rows| case.config.expected_blocks(rows)).fold(0, u64::saturating_add)
}

struct Reading {
    case: Case,
    model: Model,
    prompts: Vec<Vec<u32>>,
    /// Tokens before each.
    depths: Vec<usize>,
    touched: Touched,
    device: Arc<dyn Device>,
    /// What the check compared.
    checked: String,
}

impl Step for Reading {
    fn reset(&mut self) -> Result<(), Fault> {
        self.model.rewind_each(&self.depths);
        Ok(())
    }
    fn run(&mut self) -> Result<(), Fault> {
        // References only: a few bytes a sequence beside the prompt's work.
        let prompts: Vec<&[u32]> = self.prompts.iter().map(Vec::as_slice).collect();
        self.model.prefill(&prompts)?;
        self.touched.add();
        Ok(())
    }
    fn work(&self) -> Work {
        work(&self.case, self.touched.mean(&self.model).unwrap_or_else(|| expected_blocks(&self.case)))
    }
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        self.reset()?;
        let prompts: Vec<&[u32]> = self.prompts.iter().map(Vec::as_slice).collect();
        let findings = self.model.check(Some(&prompts))?;
        self.model.forget_touched()?;
        self.touched = Touched::default();
        self.reset()?;
        self.checked = findings.to_string();
        Ok(findings.check())
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
        facts.insert("logits".into(), "of the last token of each sequence only".into());
        facts.insert("pass_rows".into(), self.case.settings.rows.to_string());
        facts.insert("check".into(), self.checked.clone());
        facts.extend(self.touched.fact(&self.model, passes(&self.case).count() as u64));
        facts
    }
    fn parts(&mut self, iterations: usize) -> Result<Vec<OpTime>, Fault> {
        let prompts: Vec<&[u32]> = self.prompts.iter().map(Vec::as_slice).collect();
        parts::timed(&mut self.model, iterations, Some((&prompts, &self.depths)))
    }
    fn iterations_a_sample(&self) -> Option<u64> {
        Some(1)
    }
}

/// Weights beyond four times the last-level cache come from memory each time; smaller ones are left where the last pass put them.
pub(crate) fn choose_cache(model: &Model, device: &dyn Device) -> Cache {
    if model.resident() >= 4 * device.last_level_cache() { Cache::Cold } else { Cache::Warm }
}

/// Bytes of the buffers and caches, and how many of them stand on huge pages; `None` where they stand on no pages of the host.
pub(crate) fn pages(model: &Model) -> Option<(u64, Option<u64>)> {
    let mut pages = model.buffers().filter_map(spark_kernels::Buffer::pages).peekable();
    pages.peek()?;
    let usage = spark_kernels::cpu::pages::usage(pages);
    Some((usage.bytes, usage.huge))
}
