//! What a decoder takes at a context, what of it fits, and how fast it can be at most: arithmetic, nothing is allocated.

use crate::llm::blocks::{Blocks, Settings};
use crate::llm::size::{Storage, stored};
use crate::llm::{Config, PASS};
use spark_kernels::Op;
use spark_kernels::attention::KvType;
use spark_kernels::format::Format;
use spark_kernels::moe::Routing;

/// A model as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Its whole shape.
    Known(Box<Config>),
    /// Its number of parameters alone.
    Parameters(u64),
}

/// How weights are stored, by the engine or by anything else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weights {
    /// Layers in a format of the engine, embedding and head in another.
    Engine {
        /// Of the layers.
        format: Format,
        /// Of embedding and head.
        head: Format,
    },
    /// So many bits an element, scales included, throughout.
    Bits(f64),
}

/// What a machine offers; what is not known is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    /// Bytes that may be used, any margin already taken off.
    pub memory: Option<f64>,
    /// Bytes a second that memory gives.
    pub bytes_per_s: Option<f64>,
    /// Operations a second of the arithmetic that these weights take.
    pub flops_per_s: Option<f64>,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Bytes of all weights; a tied table counts once.
    pub weights: u64,
    /// Bytes of keys and values that one more token adds, beyond the windows of layers that have one.
    pub kv_per_token: Option<u64>,
    /// Bytes of keys and values at the context asked for.
    pub kv: Option<u64>,
    /// Bytes of the buffers of a pass.
    pub activations: Option<u64>,
    /// Bytes that the engine of this program holds at that context: it keeps a tied table twice, and whole caches in layers with a window.
    pub engine: Option<u64>,
    /// Most tokens of one sequence that fit beside the weights, no more than the model was made for; 0 where the weights alone do not.
    pub max_context: Option<u64>,
    /// Most tokens that memory would hold, whatever the model was made for.
    pub memory_context: Option<u64>,
    /// Whether weights, cache and buffers fit at the context asked for; of a number of parameters, whether the weights do.
    pub fits: Option<bool>,
    /// Tokens a second of one sequence at that context that memory allows at most.
    pub decode_per_s: Option<f64>,
    /// Seconds to the first token of a prompt of that length that arithmetic and memory allow at least.
    pub ttft_s: Option<f64>,
}

impl Weights {
    /// Bits an element of the layers.
    pub fn bits(self) -> f64 {
        match self {
            Self::Engine { format, .. } => format.bits_per_weight(),
            Self::Bits(bits) => bits,
        }
    }
    fn bytes(self, config: &Config) -> u64 {
        match self {
            Self::Engine { format, head } => config.weight_bytes(format, head),
            Self::Bits(bits) => of_bits(config.param_count(), bits),
        }
    }
}

fn of_bits(parameters: u64, bits: f64) -> u64 {
    (parameters as f64 * bits / 8.0).round() as u64
}

impl Config {
    /// Bytes of keys and values of one sequence of `tokens`; layers with a window hold no more than it.
    pub fn kv_bytes(&self, tokens: u64, kv: KvType) -> u64 {
        let a_layer = (2 * self.kv_heads * kv.bytes(self.head_dim)) as u64;
        let local = self.windowed.iter().filter(|windowed| **windowed).count() as u64;
        let seen = self.window.map_or(tokens, |window| tokens.min(window as u64));
        let rows = (self.layers as u64 - local).saturating_mul(tokens).saturating_add(local.saturating_mul(seen));
        rows.saturating_mul(a_layer)
    }
    /// Bytes of the buffers of a pass of `rows` tokens of one sequence.
    fn pass_bytes(&self, rows: u64) -> u64 {
        let choices = rows * self.blocks().1;
        let widths = 3 * self.hidden + self.qkv_width() + self.attention_width();
        let routed = self.mixture.map_or(0, |mixture| rows * mixture.experts as u64 + 2 * choices);
        4 * (rows * (widths as u64 + 1)
            + choices * 3 * self.intermediate as u64
            + routed
            + (2 * self.hidden + self.vocab) as u64)
    }
    /// Bytes that the engine holds for one sequence of `tokens`, once it is loaded.
    pub fn engine_bytes(&self, tokens: usize, storage: Storage) -> u64 {
        let rows = tokens.clamp(1, PASS);
        let settings = Settings {
            format: storage.format,
            head: storage.head,
            activations: Settings::usual_activations(storage.format),
            kv: storage.kv,
            rows,
            capacity: tokens.max(1),
            sequences: 1,
            verified: 0,
            seed: 0,
            routing: Routing::Router,
            implementation: String::new(),
        };
        let cache = Blocks::new(self, &settings).attention(false).outputs();
        let cache: u64 = cache[1..].iter().map(|shape| shape.len as u64 * shape.of.size() as u64).sum();
        // Cosines and sines of every position, once for each base of frequencies.
        let tables = if self.local_theta.is_some() && self.windowed.contains(&true) { 2 } else { 1 };
        let tables = tables * 4 * (tokens.max(1) * self.rotary) as u64;
        let again = if self.tied { stored(storage.head, self.vocab, self.hidden) } else { 0 };
        self.weight_bytes(storage.format, storage.head)
            + again
            + (self.layers as u64).saturating_mul(cache)
            + self.pass_bytes(rows as u64)
            + tables
    }
}

impl Shape {
    /// Its parameters.
    pub fn parameters(&self) -> u64 {
        match self {
            Self::Known(config) => config.param_count(),
            Self::Parameters(count) => *count,
        }
    }
    /// What fits into `room` with one sequence of `context` tokens, and a prompt of as many.
    pub fn fit(&self, weights: Weights, kv: KvType, context: u64, room: &Room) -> Fit {
        match self {
            Self::Known(config) => known(config, weights, kv, context, room),
            Self::Parameters(count) => {
                let bytes = of_bits(*count, weights.bits());
                let flops = 2.0 * *count as f64 * context as f64;
                Fit {
                    weights: bytes,
                    kv_per_token: None,
                    kv: None,
                    activations: None,
                    engine: None,
                    max_context: None,
                    memory_context: None,
                    fits: room.memory.map(|memory| bytes as f64 <= memory),
                    decode_per_s: room.bytes_per_s.map(|rate| rate / bytes as f64),
                    ttft_s: first_token(flops, bytes as f64, room),
                }
            }
        }
    }
}

fn first_token(flops: f64, bytes: f64, room: &Room) -> Option<f64> {
    Some((flops / room.flops_per_s?).max(bytes / room.bytes_per_s?))
}

fn known(config: &Config, weights: Weights, kv: KvType, context: u64, room: &Room) -> Fit {
    let bytes = weights.bytes(config);
    let needs = |tokens: u64| {
        let pass = config.pass_bytes(tokens.clamp(1, PASS as u64));
        bytes.saturating_add(config.kv_bytes(tokens, kv)).saturating_add(pass)
    };
    let memory_context = room.memory.map(|memory| most(|tokens| needs(tokens) as f64 <= memory));
    // What a token reads: of the engine's formats to the byte, of others their share of all weights.
    let read = match weights {
        Weights::Engine { format, head } => {
            config.bytes_per_token(context as usize, Storage { format, head, kv }) as f64
        }
        Weights::Bits(bits) => {
            of_bits(config.active_param_count(), bits) as f64 + config.kv_bytes_read(1, context as usize, kv) as f64
        }
    };
    let engine = match weights {
        Weights::Engine { format, head } => Some(config.engine_bytes(context as usize, Storage { format, head, kv })),
        Weights::Bits(_) => None,
    };
    let flops = config.prefill_flops(context.max(1) as usize, 0) as f64;
    Fit {
        weights: bytes,
        kv_per_token: Some(config.kv_bytes(1 << 40, kv) - config.kv_bytes((1 << 40) - 1, kv)),
        kv: Some(config.kv_bytes(context, kv)),
        activations: Some(config.pass_bytes(context.clamp(1, PASS as u64))),
        engine,
        max_context: memory_context.map(|tokens| tokens.min(config.context as u64)),
        memory_context,
        fits: room.memory.map(|memory| needs(context) as f64 <= memory),
        decode_per_s: room.bytes_per_s.map(|rate| rate / read),
        ttft_s: first_token(flops, bytes as f64, room),
    }
}

/// The most tokens for which `fits` holds, which it does up to some number and not beyond; 0 where it never does.
fn most(fits: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0_u64, 1_u64 << 40);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Preset;

    fn config(name: &str) -> Config {
        Preset::find(name).unwrap().config().unwrap()
    }
    fn known(name: &str) -> Shape {
        Shape::Known(Box::new(config(name)))
    }
    const GIB: f64 = (1_u64 << 30) as f64;
    /// A DGX Spark, as published.
    const SPARK: Room = Room { memory: Some(121.63 * GIB), bytes_per_s: Some(273e9), flops_per_s: Some(125e12) };

    #[test]
    fn rows_8_to_11_of_the_ledger_come_out_of_it() {
        let bits = |parameters: f64, bits: f64, room: &Room| {
            Shape::Parameters(parameters as u64).fit(Weights::Bits(bits), KvType::Bf16, 0, room)
        };
        // 8: a 32B at 5 bits fits a card of 24 GB.
        let card = Room { memory: Some(24e9), ..Room::default() };
        let thirty_two = bits(32e9, 5.0, &card);
        assert_eq!((thirty_two.weights, thirty_two.fits, thirty_two.decode_per_s), (20_000_000_000, Some(true), None));
        // 9: a 70B at Q4_K_M and a 32B in BF16 fit a Spark.
        let q4_k_m = bits(70e9, 4.8944, &SPARK);
        assert!((q4_k_m.weights as f64 / 42.826e9 - 1.0).abs() < 1e-3 && q4_k_m.fits == Some(true));
        assert_eq!(known("qwen3-32b").fit(engine(Format::Bf16), KvType::Bf16, 4096, &SPARK).fits, Some(true));
        // 10: 39.4 and 37.2 GB, 67.5 and 63.8 GB; 140 GB and 810 GB do not fit.
        let of = |parameters: f64, format: Format| bits(parameters, format.bits_per_weight(), &SPARK);
        assert_eq!(
            (of(70e9, Format::Nvfp4).weights, of(70e9, Format::Mxfp4).weights),
            (39_375_000_000, 37_187_500_000)
        );
        assert_eq!(
            (of(120e9, Format::Nvfp4).weights, of(120e9, Format::Mxfp4).weights),
            (67_500_000_000, 63_750_000_000)
        );
        assert_eq!(
            (of(7e9, Format::F16).weights, of(70e9, Format::F16).fits, of(405e9, Format::F16).fits),
            (14_000_000_000, Some(false), Some(false))
        );
        assert!((of(70e9, Format::Nvfp4).decode_per_s.unwrap() - 6.9333).abs() < 1e-3);
        // 11: 36 and 320 KiB a token; a million tokens of the one beside 120B fit, of the other they do not.
        let (oss, llama) = (config("gpt-oss-120b"), config("llama-3.3-70b"));
        let million = 1 << 20;
        let full = |c: &Config| c.kv_bytes(2 * million, KvType::Bf16) - c.kv_bytes(million, KvType::Bf16);
        assert_eq!((full(&oss), full(&llama)), (36 << 30, 320 << 30));
        let fit = known("gpt-oss-120b").fit(engine(Format::Mxfp4), KvType::Bf16, million, &SPARK);
        assert_eq!((fit.kv_per_token, fit.fits, fit.max_context), (Some(36 << 10), Some(true), Some(131_072)));
        assert!(fit.memory_context.unwrap() > million);
        assert_eq!(known("llama-3.3-70b").fit(engine(Format::Nvfp4), KvType::Bf16, million, &SPARK).fits, Some(false));
    }

    fn engine(format: Format) -> Weights {
        Weights::Engine { format, head: Format::Q8_0 }
    }

    #[test]
    fn the_largest_context_is_the_largest_that_fits() {
        let shape = known("llama-3.3-70b");
        let fit = |context| shape.fit(engine(Format::Nvfp4), KvType::Bf16, context, &SPARK);
        let most = fit(0).memory_context.unwrap();
        assert_eq!(
            (fit(most).fits, fit(most + 1).fits, fit(0).max_context),
            (Some(true), Some(false), Some(most.min(131_072)))
        );
        let none = shape.fit(engine(Format::Bf16), KvType::Bf16, 0, &SPARK);
        assert_eq!((none.max_context, none.fits), (Some(0), Some(false)));
        // Deeper is slower, and a prompt takes its operations' time at least.
        assert!(fit(32_768).decode_per_s < fit(0).decode_per_s);
        let ttft = fit(2048).ttft_s.unwrap();
        assert!(ttft > 2.0 * 70e9 * 2048.0 / 125e12 * 0.9, "{ttft}");
        let unknown = shape.fit(engine(Format::Nvfp4), KvType::Bf16, 2048, &Room::default());
        assert_eq!((unknown.fits, unknown.max_context, unknown.decode_per_s, unknown.ttft_s), (None, None, None, None));
    }
}
