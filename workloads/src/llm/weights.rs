//! Seeded synthetic weights of a decoder's true shapes: every tensor its own bytes, the same on every machine.
//!
//! Elements have the deviation 0.02 of `synth`. Norm gains lie round 64 / √hidden, so that whatever the width, a projection
//! of a normalised row has the deviation 0.02 · 64 = 1.28: attention scores and logits spread as in trained models, where
//! narrow models with gains of 1 would attend to everything alike. Each layer adds a few units of variance to the residual
//! stream, so that 80 layers leave a deviation of some tens, far inside every number type here.

use crate::llm::Config;
use crate::llm::made::made;
use crate::llm::size::ROUTER;
use half::bf16;
use spark_kernels::format::Format;
use spark_kernels::format::splitmix::derive;
use spark_kernels::format::synth::{synth_f32, synth_rows, synth_scales};
use spark_kernels::{Buffer, Device, Element, Fault, Host, Type};
use std::ops::Range;

/// A tensor of the model. Fused projections are one tensor, their parts' rows one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tensor {
    /// vocab × hidden.
    Embedding,
    /// A part of a layer.
    Layer(usize, Part),
    /// hidden: gains of the last norm.
    FinalNorm,
    /// vocab × hidden; the embedding itself where the model is tied.
    Head,
}

/// A part of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// hidden: gains.
    AttentionNorm,
    /// (heads + 2·kv_heads)·head_dim × hidden: rows of q, then k, then v.
    Qkv,
    /// (heads + 2·kv_heads)·head_dim: biases (Qwen2).
    QkvBias,
    /// head_dim: gains of every query head (Qwen3).
    QueryNorm,
    /// head_dim: gains of every key head (Qwen3).
    KeyNorm,
    /// hidden × heads·head_dim.
    Output,
    /// hidden: gains.
    FeedForwardNorm,
    /// 2·intermediate × hidden: rows of gate, then up.
    GateUp,
    /// hidden × intermediate.
    Down,
    // A part's place here enters the seed of its values: new parts come last.
    /// hidden: biases of the output projection.
    OutputBias,
    /// heads: scores that no token belongs to (gpt-oss).
    Sinks,
    /// hidden: gains of the norm behind attention (Gemma).
    PostAttentionNorm,
    /// hidden: gains of the norm behind the feed-forward block (Gemma).
    PostFeedForwardNorm,
    /// experts × hidden; one row more, the gate of the shared experts, where there are such.
    Router,
    /// experts.
    RouterBias,
    /// experts·2·intermediate × hidden: of each expert rows of gate, then up.
    ExpertGateUp,
    /// experts·2·intermediate.
    ExpertGateUpBias,
    /// experts·hidden × intermediate.
    ExpertDown,
    /// experts·hidden.
    ExpertDownBias,
}

impl Part {
    /// Every part, in the order of the computation.
    pub const ALL: [Self; 19] = [
        Self::AttentionNorm,
        Self::Qkv,
        Self::QkvBias,
        Self::QueryNorm,
        Self::KeyNorm,
        Self::Sinks,
        Self::Output,
        Self::OutputBias,
        Self::PostAttentionNorm,
        Self::FeedForwardNorm,
        Self::GateUp,
        Self::Down,
        Self::Router,
        Self::RouterBias,
        Self::ExpertGateUp,
        Self::ExpertGateUpBias,
        Self::ExpertDown,
        Self::ExpertDownBias,
        Self::PostFeedForwardNorm,
    ];
    /// Whether it is of a feed-forward block, of which a token goes through some only where there are experts.
    pub(crate) const fn of_block(self) -> bool {
        use Part as P;
        let dense = matches!(self, P::GateUp | P::Down);
        dense || matches!(self, P::ExpertGateUp | P::ExpertGateUpBias | P::ExpertDown | P::ExpertDownBias)
    }
    /// The biases that are added to what a matrix gives.
    pub const fn bias(self) -> Option<Self> {
        match self {
            Self::Qkv => Some(Self::QkvBias),
            Self::Output => Some(Self::OutputBias),
            Self::Router => Some(Self::RouterBias),
            Self::ExpertGateUp => Some(Self::ExpertGateUpBias),
            Self::ExpertDown => Some(Self::ExpertDownBias),
            _ => None,
        }
    }
}

/// Where the numbers of a tensor come from, and its shape.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// n × k in a format.
    Matrix { format: Format, n: usize, k: usize },
    /// f32 values: `mean · (1 + deviation)` of a near-normal number, less `offset`.
    Gain { len: usize, mean: f32, offset: f32 },
    /// f32 values of that deviation round 0.
    Bias { len: usize },
}

/// Every tensor that a model of `config` has, in canonical order.
pub(crate) fn tensors(config: &Config) -> Vec<Tensor> {
    let c = config;
    let has = |part: &Part| match part {
        Part::QkvBias => c.qkv_bias,
        Part::OutputBias => c.output_bias,
        Part::QueryNorm | Part::KeyNorm => c.qk_norm,
        Part::Sinks => c.sinks,
        Part::PostAttentionNorm | Part::PostFeedForwardNorm => c.post_norms,
        Part::GateUp | Part::Down => c.mixture.is_none(),
        Part::Router | Part::ExpertGateUp | Part::ExpertDown => c.mixture.is_some(),
        Part::RouterBias | Part::ExpertGateUpBias | Part::ExpertDownBias => {
            c.mixture.is_some_and(|mixture| mixture.bias)
        }
        _ => true,
    };
    let layers = (0..c.layers).flat_map(|l| Part::ALL.into_iter().filter(has).map(move |p| Tensor::Layer(l, p)));
    let head = (!c.tied).then_some(Tensor::Head);
    [Tensor::Embedding].into_iter().chain(layers).chain([Tensor::FinalNorm]).chain(head).collect()
}

/// The synthetic weights of one model.
#[derive(Clone, Debug)]
pub struct Synthetic {
    config: Config,
    format: Format,
    head: Format,
    seed: u64,
}

/// Spread of norm gains round their mean.
const GAIN_STD: f32 = 0.1;
/// Spread of biases: some of the size of what they are added to.
const BIAS_STD: f32 = 0.5;
/// 0.02 · 64 = 1.28: what a projection of a normalised row spreads.
const WIDTH_OF_UNIT_GAIN: f32 = 4096.0;

impl Synthetic {
    /// Weights of `config`: layers in `format`, embedding and head in `head`, norms and biases f32.
    pub fn new(config: &Config, format: Format, head: Format, seed: u64) -> Self {
        Self { config: config.clone(), format, head, seed }
    }
    /// Every tensor there is, in canonical order.
    pub fn tensors(&self) -> Vec<Tensor> {
        tensors(&self.config)
    }
    fn kind(&self, tensor: Tensor) -> Kind {
        let c = &self.config;
        let [qkv, output, gate_up, down] = c.projections();
        let matrix = |(n, k)| Kind::Matrix { format: self.format, n, k };
        let (logits, experts) = c.mixture.map_or((0, 0), |mixture| (mixture.logits(), mixture.all()));
        let offset = if c.unit_offset { 1.0 } else { 0.0 };
        let gain = |len, mean| Kind::Gain { len, mean, offset };
        let norm = gain(c.hidden, (WIDTH_OF_UNIT_GAIN / c.hidden as f32).sqrt());
        match tensor {
            Tensor::Embedding | Tensor::Head => Kind::Matrix { format: self.head, n: c.vocab, k: c.hidden },
            Tensor::FinalNorm => norm,
            Tensor::Layer(_, part) => match part {
                Part::AttentionNorm | Part::FeedForwardNorm => norm,
                Part::PostAttentionNorm | Part::PostFeedForwardNorm => gain(c.hidden, 1.0),
                Part::QueryNorm | Part::KeyNorm => gain(c.head_dim, 1.0),
                Part::QkvBias => Kind::Bias { len: qkv.0 },
                Part::OutputBias => Kind::Bias { len: output.0 },
                Part::Sinks => Kind::Bias { len: c.heads },
                Part::Router => Kind::Matrix { format: ROUTER, n: logits, k: c.hidden },
                Part::RouterBias => Kind::Bias { len: logits },
                Part::ExpertGateUpBias => Kind::Bias { len: experts * gate_up.0 },
                Part::ExpertDownBias => Kind::Bias { len: experts * down.0 },
                Part::Qkv => matrix(qkv),
                Part::Output => matrix(output),
                Part::GateUp => matrix(gate_up),
                Part::Down => matrix(down),
                Part::ExpertGateUp => matrix((experts * gate_up.0, gate_up.1)),
                Part::ExpertDown => matrix((experts * down.0, down.1)),
            },
        }
    }
    /// The seed of one tensor: of its layer and its place in the layer.
    fn seed_of(&self, tensor: Tensor) -> u64 {
        let (layer, place) = match tensor {
            Tensor::Embedding => (0, 0),
            Tensor::Head if self.config.tied => (0, 0),
            Tensor::FinalNorm => (0, 1),
            Tensor::Head => (0, 2),
            Tensor::Layer(layer, part) => (1 + layer as u64, part as u64),
        };
        derive(derive(self.seed, layer), place)
    }
    /// The values of a norm or a bias. Panics if `tensor` is a matrix: a programmer's mistake.
    pub fn vector(&self, tensor: Tensor) -> Vec<f32> {
        let seed = self.seed_of(tensor);
        match self.kind(tensor) {
            Kind::Gain { len, mean, offset } => {
                synth_f32(len, seed, GAIN_STD).iter().map(|x| mean * (1.0 + x) - offset).collect()
            }
            Kind::Bias { len } => synth_f32(len, seed, BIAS_STD),
            Kind::Matrix { .. } => panic!("{tensor:?} is a matrix"),
        }
    }
    /// What a norm multiplies with: its values, and 1 more where the family adds it. Panics if `tensor` is a matrix.
    pub(crate) fn gains(&self, tensor: Tensor) -> Vec<f32> {
        crate::llm::held::gains(&self.config, tensor, self.vector(tensor))
    }
    /// Canonical bytes of rows `rows` of a matrix. Panics if `tensor` is none.
    pub fn rows(&self, tensor: Tensor, rows: Range<usize>) -> Vec<u8> {
        let (format, _, k) = self.matrix(tensor);
        let mut bytes = vec![0; rows.len() * format.bytes(k)];
        synth_rows(format, rows, k, self.seed_of(tensor), &mut bytes);
        bytes
    }
    /// The f32 scales beside the bytes of these rows of a matrix: one of NVFP4, one a row of FP8, else none. Panics if `tensor` is
    /// none.
    pub fn scales(&self, tensor: Tensor, rows: impl IntoIterator<Item = usize>) -> Vec<f32> {
        let ((format, ..), seed) = (self.matrix(tensor), self.seed_of(tensor));
        match format {
            Format::Fp8 => rows.into_iter().flat_map(|row| synth_scales(format, row..row + 1, seed)).collect(),
            _ => synth_scales(format, 0..0, seed),
        }
    }
    /// (format, n, k) of a matrix. Panics if `tensor` is none.
    pub fn matrix(&self, tensor: Tensor) -> (Format, usize, usize) {
        match self.kind(tensor) {
            Kind::Matrix { format, n, k } => (format, n, k),
            _ => panic!("{tensor:?} is no matrix"),
        }
    }
    /// The operands that a gemm takes for a matrix, on `device`: the stored elements and, if any, the scales beside them.
    pub(crate) fn gemm_operands(&self, tensor: Tensor, device: &dyn Device) -> Result<Vec<Buffer>, Fault> {
        let (format, n, k) = self.matrix(tensor);
        let mut operands = vec![match format {
            Format::Bf16 => {
                let decode = |b: &[u8]| bf16::from_bits(u16::from_le_bytes([b[0], b[1]]));
                self.elements(tensor, Type::Bf16, (n, k), device, decode)?
            }
            Format::F32 => {
                let decode = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                self.elements(tensor, Type::F32, (n, k), device, decode)?
            }
            _ => self.elements(tensor, Type::U8, (n, format.bytes(k)), device, |b: &[u8]| b[0])?,
        }];
        self.scale(tensor, device, &mut operands)?;
        Ok(operands)
    }
    /// The operands that a look-up takes for a matrix: canonical bytes in every format.
    pub(crate) fn table_operands(&self, tensor: Tensor, device: &dyn Device) -> Result<Vec<Buffer>, Fault> {
        let (format, n, k) = self.matrix(tensor);
        let mut operands = vec![self.elements(tensor, Type::U8, (n, format.bytes(k)), device, |b: &[u8]| b[0])?];
        self.scale(tensor, device, &mut operands)?;
        Ok(operands)
    }
    fn scale(&self, tensor: Tensor, device: &dyn Device, operands: &mut Vec<Buffer>) -> Result<(), Fault> {
        let scales = self.scales(tensor, 0..self.matrix(tensor).1);
        if !scales.is_empty() {
            operands.push(device.upload(&Host::F32(scales))?);
        }
        Ok(())
    }
    /// n rows of `len` elements, decoded from their bytes.
    fn elements<T: Element>(
        &self,
        tensor: Tensor,
        of: Type,
        (n, len): (usize, usize),
        device: &dyn Device,
        decode: impl Fn(&[u8]) -> T + Sync,
    ) -> Result<Buffer, Fault> {
        let (format, _, k) = self.matrix(tensor);
        let (row_bytes, size, seed) = (format.bytes(k), of.size(), self.seed_of(tensor));
        made(of, (n, len), device, |row, bytes, out| {
            bytes.resize(row_bytes, 0);
            synth_rows(format, row..row + 1, k, seed, bytes);
            out.iter_mut().zip(bytes.chunks_exact(size)).for_each(|(out, b)| *out = decode(b));
        })
    }
}

/// BLAKE3 over every tensor's name, format, shape and canonical bytes, as hex. It streams: no tensor stands in memory whole.
pub fn weights_hash(config: &Config, format: Format, head: Format, seed: u64) -> String {
    let weights = Synthetic::new(config, format, head, seed);
    let mut hasher = blake3::Hasher::new();
    for tensor in weights.tensors() {
        match weights.kind(tensor) {
            Kind::Matrix { format, n, k } => {
                hasher.update(format!("{tensor:?} {format} {n} {k}\n").as_bytes());
                let at_once = ((1 << 20) / format.bytes(k)).max(1);
                for first in (0..n).step_by(at_once) {
                    hasher.update(&weights.rows(tensor, first..(first + at_once).min(n)));
                }
                // One number at least, so that the hashes of formats without scales stay what they were.
                let scales = weights.scales(tensor, 0..n);
                for scale in if scales.is_empty() { vec![1.0] } else { scales } {
                    hasher.update(&scale.to_le_bytes());
                }
            }
            _ => {
                let values = weights.vector(tensor);
                hasher.update(format!("{tensor:?} f32 {}\n", values.len()).as_bytes());
                values.iter().for_each(|value| {
                    hasher.update(&value.to_le_bytes());
                });
            }
        }
    }
    hasher.finalize().to_hex().to_string()
}
