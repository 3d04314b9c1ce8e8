//! `prefill`: how fast a prompt is read.

use crate::axis::{Axis, BadRequest, Request};
use crate::llm::Model;
use crate::llm::arguments::{self, Case, LEFT_OUT};
use crate::workload::{Body, Decline, Footprint, Roofs, Step, Workload};
use spark_kernels::{Device, Fault, Op};
use spark_results::record::{Cache, Check};
use spark_results::{BenchmarkId, Work};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The workload `prefill`.
pub static PREFILL: Prefill = Prefill;

/// Prompts run through a decoder; only the last token's logits are computed.
#[derive(Clone, Copy, Debug)]
pub struct Prefill;

const AXES: &[Axis] = &[
    LEFT_OUT[0],
    LEFT_OUT[1],
    Axis { name: "depth", about: "tokens that stand in the cache before the prompt", default: "0" },
    Axis { name: "format", about: "weights of the layers: mxfp4, nvfp4, q8_0, q4_0, bf16 or f32", default: "mxfp4" },
    LEFT_OUT[2],
    LEFT_OUT[3],
    Axis { name: "model", about: "a preset, a config.json or a folder with one", default: "tiny" },
    Axis { name: "n_prompt", about: "tokens of the prompt of each sequence", default: "512" },
    LEFT_OUT[5],
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
        arguments::implementations(AXES, device)
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        arguments::cases(self.name(), AXES, request, device)
    }
    fn footprint(&self, id: &BenchmarkId, _: &dyn Device) -> Result<Footprint, Decline> {
        let case = Case::parse(&id.axes, AXES, &id.implementation)?;
        Ok(case.footprint(&work(&case)))
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Body, Decline> {
        let mut case = Case::parse(&id.axes, AXES, &id.implementation)?;
        let device = case.device(device)?;
        let mut model = case.load(&device, seed, memory)?;
        if case.depth > 0 {
            model.seed_caches();
        }
        model.rewind(case.depth);
        let prompts = case.prompts(case.n_prompt);
        Ok(Body::Step(Box::new(Reading { case, model, prompts, device, checked: String::new() })))
    }
}

/// Work of one prompt of every sequence. Bytes: each weight once a pass, keys and values read and appended, rows of the
/// embedding.
pub(crate) fn work(case: &Case) -> Work {
    let (settings, c, n) = (&case.settings, &case.config, case.n_prompt);
    let sequences = settings.sequences as u64;
    let storage = settings.storage();
    let passes = (n as u64 * sequences).div_ceil(settings.rows as u64);
    let token = c.kv_bytes_per_token(storage.kv);
    let head = c.bytes_per_step(0, 0, storage) - c.layers as u64 * c.layer_bytes(storage.format);
    let row = crate::llm::size::stored(storage.head, 1, c.hidden);
    let each = (n as u64 * (row + token)).saturating_add((case.depth as u64).saturating_mul(token));
    Work {
        flops: sequences.saturating_mul(c.prefill_flops(n, case.depth)),
        bytes: passes
            .saturating_mul(c.layers as u64 * c.layer_bytes(storage.format))
            .saturating_add(head)
            .saturating_add(sequences.saturating_mul(each)),
        items: n as u64 * sequences,
        item: "token".to_owned(),
    }
}

struct Reading {
    case: Case,
    model: Model,
    prompts: Vec<Vec<u32>>,
    device: Arc<dyn Device>,
    /// What the check compared.
    checked: String,
}

impl Step for Reading {
    fn reset(&mut self) -> Result<(), Fault> {
        self.model.rewind(self.case.depth);
        Ok(())
    }
    fn run(&mut self) -> Result<(), Fault> {
        // References only: a few bytes a sequence beside the prompt's work.
        let prompts: Vec<&[u32]> = self.prompts.iter().map(Vec::as_slice).collect();
        self.model.prefill(&prompts)
    }
    fn work(&self) -> Work {
        work(&self.case)
    }
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        self.reset()?;
        let prompts: Vec<&[u32]> = self.prompts.iter().map(Vec::as_slice).collect();
        let findings = self.model.check(Some(&prompts))?;
        self.reset()?;
        self.checked = findings.to_string();
        Ok(findings.check())
    }
    fn roofs(&self) -> Roofs {
        Roofs { memory: true, compute: Some(self.case.gemm().arithmetic()) }
    }
    fn cache(&self) -> Cache {
        choose_cache(&self.model, &*self.device)
    }
    fn pages(&self) -> Option<(u64, Option<u64>)> {
        Some(pages(&self.model))
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.case.facts(&self.model, self.device.last_level_cache());
        facts.insert("logits".into(), "of the last token of each sequence only".into());
        facts.insert("pass_rows".into(), self.case.settings.rows.to_string());
        facts.insert("check".into(), self.checked.clone());
        facts
    }
    fn iterations_a_sample(&self) -> Option<u64> {
        Some(1)
    }
}

/// Weights beyond four times the last-level cache come from memory each time; smaller ones are left where the last pass put them.
pub(crate) fn choose_cache(model: &Model, device: &dyn Device) -> Cache {
    if model.resident() >= 4 * device.last_level_cache() { Cache::Cold } else { Cache::Warm }
}

/// Bytes of the buffers and caches, and how many of them stand on huge pages.
pub(crate) fn pages(model: &Model) -> (u64, Option<u64>) {
    let usage = spark_kernels::cpu::pages::usage(model.buffers().map(spark_kernels::Buffer::pages));
    (usage.bytes, usage.huge)
}
