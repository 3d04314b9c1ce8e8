//! What the axes of `prefill` and `decode` mean: a model, how it is run, and how far.

use crate::axis::{self, Axis, BadRequest};
use crate::llm::blocks::{Blocks, Settings};
use crate::llm::choose::choose;
use crate::llm::file::Stored;
use crate::llm::source::{self, Found};
use crate::llm::{Config, Mixture, Model, Sizes, Synthetic, Weights};
use crate::workload::Decline;
use spark_kernels::attention::KvType;
use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_kernels::format::splitmix::SplitMix64;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::moe::Routing;
use spark_kernels::rope::MOST_POSITIONS;
use spark_kernels::{Arithmetic, Device, Op};
use spark_results::{Axes, AxisValue};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of one pass of a prefill, llama-bench's `-ub`.
pub const PASS: usize = 512;
/// Most sequences together.
const MOST_SEQUENCES: usize = 4096;
/// The activations that go with the format.
const USUAL: &str = "usual";
/// Of synthetic weights outside a run.
pub(crate) const SEED: u64 = 1;
/// The formats of files with weights.
pub const FILE: &str = "file";
/// One depth for all sequences, and a depth for each.
const SAME: &str = "same";
const RAGGED: &str = "ragged";

/// `activations`.
pub(crate) const ACTIVATIONS: Axis = Axis {
    name: "activations",
    about: "what the projections' inputs are rounded to; usual: int8 for block formats",
    default: USUAL,
};
/// `batch`.
pub(crate) const BATCH: Axis = Axis { name: "batch", about: "sequences run together", default: "1" };
/// `depths`.
pub(crate) const DEPTHS: Axis =
    Axis { name: "depths", about: "depths of a batch: same, or ragged: seeded, from 0 to depth", default: SAME };
/// `head`.
pub(crate) const HEAD: Axis = Axis { name: "head", about: "format of embedding and head", default: "q8_0" };
/// `kv`.
pub(crate) const KV: Axis =
    Axis { name: "kv", about: "type of cached keys and values: bf16, f32, int8 or fp8", default: "bf16" };
/// `n_prompt`, of decode.
pub(crate) const N_PROMPT: Axis = Axis {
    name: "n_prompt",
    about: "tokens read before generating, in the same sample (llama-bench's -pg)",
    default: "0",
};
/// `routing`.
pub(crate) const ROUTING: Axis = Axis {
    name: "routing",
    about: "which experts tokens are given to: router, or drawn: uniform or zipf",
    default: "router",
};
/// `threads`.
pub(crate) const THREADS: Axis = Axis { name: "threads", about: "workers; 0 for all", default: "0" };

/// Axes that an id leaves out where they stand at their default: what was added later, or is seldom changed.
pub(crate) const LEFT_OUT: &[Axis] = &[ACTIVATIONS, BATCH, DEPTHS, HEAD, KV, N_PROMPT, ROUTING, THREADS];

/// One case, understood.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) config: Config,
    /// Its weights, where files hold them.
    pub(crate) weights: Option<Arc<Stored>>,
    /// Bytes of the weights.
    pub(crate) sizes: Sizes,
    pub(crate) settings: Settings,
    /// Tokens of the prompt; 0 where nothing is prefilled in the timing.
    pub(crate) n_prompt: usize,
    /// Tokens generated; 0 for a prefill.
    pub(crate) n_gen: usize,
    /// Tokens before the first; the most of any sequence if `ragged`.
    pub(crate) depth: usize,
    /// Whether each sequence has a depth of its own.
    pub(crate) ragged: bool,
    /// 0 for all of the device's.
    pub(crate) threads: usize,
}

fn named<T: std::str::FromStr>(axes: &Axes, axis: &str) -> Result<T, BadRequest>
where
    T::Err: std::fmt::Display,
{
    axis::name(axes, axis)?.parse().map_err(|e: T::Err| BadRequest(format!("{axis}: {e}")))
}

impl Case {
    /// From axes, those that are left out at their first default. Errors: what cannot be, with the mend.
    pub(crate) fn parse(axes: &Axes, known: &[Axis], implementation: &str) -> Result<Self, BadRequest> {
        let axes = &axis::filled(axes, known)?;
        let tokens = |name: &str| match axes.get(name) {
            None => Ok(0),
            Some(_) => match axis::count(axes, name)? {
                tokens if tokens <= MOST_POSITIONS => Ok(tokens),
                tokens => Err(BadRequest(format!("{name} is {tokens}; at most {MOST_POSITIONS} tokens are taken"))),
            },
        };
        let (n_prompt, n_gen, depth) = (tokens("n_prompt")?, tokens("n_gen")?, tokens("depth")?);
        let generates = known.iter().any(|a| a.name == "n_gen");
        if (if generates { n_gen } else { n_prompt }) == 0 {
            let name = if generates { "n_gen" } else { "n_prompt" };
            return Err(BadRequest(format!("{name} is 0; it has to be at least 1")));
        }
        let sequences = match axis::size(axes, "batch")? {
            batch if batch <= MOST_SEQUENCES => batch,
            batch => return Err(BadRequest(format!("batch is {batch}; at most {MOST_SEQUENCES} sequences are taken"))),
        };
        let model = axes.get("model").map(|value| match value {
            AxisValue::Text(text) => text.clone(),
            AxisValue::Int(number) => number.to_string(),
        });
        let name = model.ok_or_else(|| BadRequest("model is not given".to_owned()))?;
        let Found { config, weights } = source::open(&name)?;
        // Files have their weights in formats of their own: what most of them are in stands for all where one is asked for.
        let (format, head): (Format, Format) = match &weights {
            Some(stored) => (stored.formats().first().copied().unwrap_or(Format::F32), stored.head()),
            None => (named(axes, "format")?, named(axes, "head")?),
        };
        let activations = match axis::name(axes, "activations")?.as_str() {
            USUAL => Settings::usual_activations(format),
            _ => named::<Activations>(axes, "activations")?,
        };
        let routing: Routing = named(axes, "routing")?;
        let ragged = match axis::name(axes, "depths")?.as_str() {
            SAME => false,
            RAGGED => true,
            other => {
                let other = spark_results::machine::clean(other);
                return Err(BadRequest(format!("depths is '{other}'; it is {SAME} or {RAGGED}")));
            }
        };
        if ragged && (sequences == 1 || depth == 0) {
            let text = "depths is ragged; it takes a batch of at least 2 and a depth of at least 1 to be so".to_owned();
            return Err(BadRequest(text));
        }
        let kv = axis::name(axes, "kv")?;
        let kv = KvType::ALL.iter().find(|of| of.name() == kv).copied().ok_or_else(|| {
            let names: Vec<_> = KvType::ALL.iter().map(|of| of.name()).collect();
            BadRequest(format!("kv is '{}'; it is one of {}", spark_results::machine::clean(&kv), names.join(", ")))
        })?;
        // A prompt is run in passes; beyond it every sequence adds one row.
        let rows = (n_prompt.min(PASS) * sequences).min(PASS).max(sequences);
        let settings = Settings {
            format,
            head,
            activations,
            kv,
            rows,
            // The op's cache is at least as long as a pass.
            capacity: depth + n_prompt + n_gen,
            sequences,
            verified: 0,
            seed: 0,
            routing,
            implementation: implementation.to_owned(),
        };
        if routing != Routing::Router && config.mixture.is_none() {
            let text = format!("routing is {routing}; {} models have no experts: leave it out", config.family.name());
            return Err(BadRequest(text));
        }
        let sizes = match &weights {
            Some(stored) => stored.sizes(),
            None => Sizes::synthetic(&config, settings.storage()),
        };
        let threads = axis::count(axes, "threads")?;
        let case = Self { config, weights, sizes, settings, n_prompt, n_gen, depth, ragged, threads };
        case.validate()?;
        Ok(case)
    }

    /// Errors: an op that cannot be. The matrices of files were checked when they were found: what is left is checked in a format
    /// that goes with everything.
    fn validate(&self) -> Result<(), BadRequest> {
        let (format, activations) = (Format::F32, Activations::F32);
        let settings = match self.weights {
            Some(_) => Settings { format, head: format, activations, ..self.settings.clone() },
            None => self.settings.clone(),
        };
        Blocks::new(&self.config, &settings).validate().map_err(|invalid| BadRequest(invalid.0))
    }
    /// The weights it runs on.
    fn given(&self) -> Weights {
        match &self.weights {
            Some(stored) => Weights::Stored(stored.clone()),
            None => {
                let Settings { format, head, seed, .. } = self.settings;
                Weights::Synthetic(Box::new(Synthetic::new(&self.config, format, head, seed)))
            }
        }
    }
    /// The device this case runs on: a part of `device`'s CPUs if fewer threads are asked for. Errors: more than there are.
    pub(crate) fn device(&self, device: &Arc<dyn Device>) -> Result<Arc<dyn Device>, Decline> {
        let there = device.threads();
        if self.threads == 0 || self.threads == there {
            return Ok(device.clone());
        }
        let cpu = Cpu::of(&**device).map_err(|e| Decline::Skip(format!("threads: {e}")))?;
        match cpu.pool().cpus().get(..self.threads) {
            Some(cpus) => Ok(Arc::new(Cpu::on(cpus, device.last_level_cache()))),
            None => Err(Decline::Skip(format!("threads is {}; the device has {there}: raise --threads", self.threads))),
        }
    }
    /// The projection whose implementation names the whole: the widest one of a layer.
    pub(crate) fn gemm(&self) -> Gemm {
        self.given().widest(&Blocks::new(&self.config, &self.settings))
    }
    /// The arithmetic in which `device` multiplies it.
    pub(crate) fn arithmetic(&self, device: &dyn Device) -> Arithmetic {
        let gemm = self.gemm();
        let chosen = choose(&gemm, device, &self.settings.implementation);
        chosen.map_or_else(|_| gemm.arithmetic(), |how| how.arithmetic(&gemm))
    }
    /// Tokens before the first, of each sequence. The draw is the same in every run: it is a part of what is measured. The last
    /// sequence is the longest.
    pub(crate) fn depths(&self) -> Vec<usize> {
        let sequences = self.settings.sequences;
        if !self.ragged {
            return vec![self.depth; sequences];
        }
        let mut random = SplitMix64::new(0x6465_7074_6873);
        let mut depths: Vec<_> = (0..sequences).map(|_| (random.next() % (self.depth as u64 + 1)) as usize).collect();
        depths[sequences - 1] = self.depth;
        depths
    }
    /// A model ready for this case. Errors: it does not fit `memory`, cannot run here, or broke.
    pub(crate) fn load(&mut self, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Model, Decline> {
        let bytes = self.bytes(&**device);
        if bytes > memory {
            let text =
                format!("needs {bytes} bytes of memory, {memory} are free: choose a smaller model, format or depth");
            return Err(Decline::Skip(text));
        }
        self.settings.seed = seed;
        Ok(Model::of(&self.config, &self.settings, self.given(), device)?)
    }
    /// Room for passes whose every row of the one sequence is verified.
    pub(crate) fn verifies(&mut self, rows: usize) {
        self.settings.verified = rows;
        self.settings.rows = self.settings.rows.max(rows);
    }
    /// Seeded prompts, one a sequence, of `len` tokens each.
    pub(crate) fn prompts(&self, len: usize) -> Vec<Vec<u32>> {
        let prompt = |sequence: usize| {
            let mut random = SplitMix64::stream(self.settings.seed ^ 0x70_6d70, sequence as u64);
            (0..len).map(|_| (random.next() % self.config.vocab as u64) as u32).collect()
        };
        (0..self.settings.sequences).map(prompt).collect()
    }
    /// What a reader has to know beside the numbers of `model`.
    pub(crate) fn facts(&self, model: &Model, last_level_cache: u64) -> BTreeMap<String, String> {
        let Settings { seed, activations, kv, head, .. } = &self.settings;
        let storage = self.settings.storage();
        let blocks = self.config.expected_blocks(1);
        let touched = self
            .sizes
            .touched(blocks)
            .saturating_add(self.sizes.head + self.sizes.row)
            .saturating_add(self.config.kv_bytes_read(1, self.depth, *kv));
        let weights = match &self.weights {
            Some(stored) => {
                let formats: Vec<_> = stored.formats().iter().map(|format| format.name()).collect();
                format!("of the file, layers in {}", formats.join(", "))
            }
            None => format!("synthetic, seed {seed}"),
        };
        let mut facts: BTreeMap<String, String> = [
            ("weights", weights),
            ("parameters", self.config.param_count().to_string()),
            ("weight_bytes", self.sizes.total.to_string()),
            ("packed_weight_bytes", model.resident().to_string()),
            ("bytes_per_token", touched.to_string()),
            ("kv_bytes_per_token", self.config.kv_bytes_per_token(*kv).to_string()),
            ("activations", activations.name().to_owned()),
            (
                "head",
                format!("{head}, activations {}", Blocks::new(&self.config, &self.settings).head().activations.name()),
            ),
            ("attention_activations", model.attention_activations().name().to_owned()),
            ("kv_type", kv.name().to_owned()),
            ("implementations", model.implementations()),
            (
                "weights_over_last_level_cache",
                format!("{:.2}", model.resident() as f64 / last_level_cache.max(1) as f64),
            ),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .into();
        if self.ragged {
            facts.insert("kv".to_owned(), format!("seeded to depths {:?}, not prefilled", self.depths()));
        } else if self.depth > 0 {
            facts.insert("kv".to_owned(), format!("seeded to depth {}, not prefilled", self.depth));
        }
        if let Some(Mixture { experts, active, shared, .. }) = self.config.mixture {
            let shared = if shared > 0 { format!(" and {shared} shared") } else { String::new() };
            let said = format!("{active} of {experts}{shared} a token, routing: {}", self.settings.routing);
            facts.insert("experts".to_owned(), said);
            facts.insert("active_parameters".to_owned(), self.config.active_param_count().to_string());
        }
        if !self.config.notes.is_empty() {
            facts.insert("config".to_owned(), self.config.notes.join("; "));
        }
        // Small enough to be hashed in a moment.
        if self.weights.is_none() && self.config.param_count() < 1 << 24 {
            let hash = crate::llm::weights_hash(&self.config, storage.format, storage.head, *seed);
            facts.insert("weights_hash".to_owned(), hash);
        }
        facts
    }
}
