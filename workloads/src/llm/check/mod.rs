//! Whether a pass computed what it should: ops of the first and the last layer and the head against their f64 references.
//!
//! Each op is given the values that the pass itself had before it, from the buffer where the model's definition puts them, and
//! the weights are made again from the seed. So an op that is wrong, one that reads or writes the wrong buffer, and weights of
//! the wrong layer are all seen, and each error is held against that op's own derived bound: nothing is allowed for errors that
//! accumulate. That the whole is the model it claims to be is shown by the golden tests, against a forward pass in f64.

mod mixture;

use crate::llm::Config;
use crate::llm::Weights;
use crate::llm::blocks::{Blocks, Settings};
use crate::llm::choose::choose;
use crate::llm::findings::Findings;
use crate::llm::forward::{Stage, Watch};
use crate::llm::state::RunState;
use crate::llm::weights::{Part, Tensor};
use half::bf16;
use spark_kernels::embed::Embed;
use spark_kernels::format::Format;
use spark_kernels::gemm::Gemm;
use spark_kernels::parity::{self, Check};
use spark_kernels::rmsnorm::RmsNorm;
use spark_kernels::rope::Rope;
use spark_kernels::sample::Sample;
use spark_kernels::softcap::Softcap;
use spark_kernels::swiglu::SwiGlu;
use spark_kernels::{Buffer, Device, Example, Fault, Host, Live, Op};
use std::sync::Arc;

/// Outputs of one op that are compared, about.
const COMPARED: usize = 96;
/// Rows of a product that are compared: the first, one in the middle and the last.
const ROWS: usize = 3;

/// Compares while a pass runs. Only the first pass of a prompt is looked at, and what follows the last.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    blocks: Blocks<'a>,
    config: &'a Config,
    settings: &'a Settings,
    weights: Weights,
    device: Arc<dyn Device>,
    passes: usize,
    /// The residual stream before the stage that comes.
    x: Vec<f32>,
    /// q, k and v before they are turned.
    qkv: Vec<f32>,
    /// Logits before they are bent.
    logits: Vec<f32>,
    pub(crate) findings: Findings,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(config: &'a Config, settings: &'a Settings, weights: Weights, device: &Arc<dyn Device>) -> Self {
        let blocks = Blocks::new(config, settings).on(device.backend());
        let device = device.clone();
        let findings = Findings::default();
        let (x, qkv, logits) = (Vec::new(), Vec::new(), Vec::new());
        Self { blocks, config, settings, weights, device, passes: 0, x, qkv, logits, findings }
    }
    fn values(&self, buffer: &Buffer, len: usize) -> Result<Vec<f32>, Fault> {
        match self.device.download(buffer)? {
            Host::F32(mut values) => {
                values.truncate(len);
                Ok(values)
            }
            other => {
                Err(Fault::Device(format!("a buffer of {:?} where f32 was due: a defect of the engine", other.of())))
            }
        }
    }
    fn compare<O: Op>(&mut self, stage: Stage, op: &O, example: &Example, got: &[Host]) {
        self.compare_within(stage, op, 0.0, example, got);
    }
    /// The same of an op whose implementation adds `rounding` to the tolerance.
    fn compare_within<O: Op>(&mut self, stage: Stage, op: &O, rounding: f64, example: &Example, got: &[Host]) {
        let check = parity::compare(op, rounding, example, got, self.settings.seed ^ 0xc4ec, COMPARED);
        self.findings.add(stage, check);
    }

    fn norm(&mut self, stage: Stage, tensor: Tensor, behind: Option<Tensor>, s: &RunState) -> Result<(), Fault> {
        let (rows, width) = (s.live.rows(), self.config.hidden);
        let op = RmsNorm { rows, ..self.blocks.norm(behind.is_some()) };
        let h = Host::F32(self.values(&s.h, rows * width)?);
        let now = self.values(&s.x, rows * width)?;
        let before = std::mem::replace(&mut self.x, now.clone());
        if before.len() != now.len() {
            // The pass is at another place than the model's definition puts it: nothing here is what it should be.
            self.findings.add(stage, Check { max_error: f64::INFINITY, tolerance: op.tolerance(), compared: 0 });
            return Ok(());
        }
        let empty = Host::F32(vec![0.0; rows * width]);
        let (input, outputs, got) = if behind.is_some() {
            (self.values(&s.delta, rows * width)?, vec![empty, before.into()], vec![h, now.into()])
        } else {
            (before, vec![empty], vec![h])
        };
        let behind = behind.filter(|_| op.delta_norm);
        let weights = [Some(tensor), behind].into_iter().flatten().map(|t| self.weights.gains(t).into()).collect();
        let example = Example { weights, inputs: vec![input.into()], outputs, live: Live::one(rows, 0) };
        self.compare(stage, &op, &example, &got);
        Ok(())
    }

    /// The biases of a matrix, if the op adds any.
    fn bias(&self, tensor: Tensor, added: bool) -> Option<Vec<f32>> {
        let Tensor::Layer(layer, part) = tensor else { return None };
        let bias = part.bias().filter(|_| added)?;
        Some(self.weights.vector(Tensor::Layer(layer, bias)))
    }

    /// A product at some of its rows and outputs, piece by piece: their weights alone are made again.
    fn product(
        &mut self,
        stage: Stage,
        op: &Gemm,
        tensor: Tensor,
        from: &Buffer,
        to: &Buffer,
        rows: usize,
    ) -> Result<(), Fault> {
        let (x, y) = (self.values(from, rows * op.k)?, self.values(to, rows * op.n)?);
        let mut first = 0;
        for (piece, (format, n, _)) in self.weights.pieces(tensor).into_iter().enumerate() {
            self.piece(stage, &Blocks::piece(op, format, n), (tensor, piece, first), (&x, &y, op.n), rows);
            first += n;
        }
        Ok(())
    }

    /// One piece of a product, whose outputs begin at `first` of the `width` that y has.
    fn piece(
        &mut self,
        stage: Stage,
        op: &Gemm,
        (tensor, piece, first): (Tensor, usize, usize),
        (x, y, width): (&[f32], &[f32], usize),
        rows: usize,
    ) {
        let (format, n, k) = (op.weights, op.n, op.k);
        let mut chosen_rows = vec![0, rows / 2, rows - 1];
        chosen_rows.dedup();
        debug_assert!(chosen_rows.len() <= ROWS);
        let picked = parity::sample(&[n], COMPARED / 2, self.settings.seed ^ n as u64);
        let mut outputs: Vec<usize> = picked.iter().map(|index| index.at).collect();
        outputs.sort_unstable();
        outputs.dedup();
        outputs.iter_mut().for_each(|output| *output += first);
        let bytes: Vec<u8> = outputs.iter().flat_map(|&row| self.weights.rows(tensor, row..row + 1)).collect();
        let mut weights = vec![stored(format, bytes)];
        let scales = self.weights.scales(tensor, piece, outputs.iter().copied());
        if !scales.is_empty() {
            weights.push(scales.into());
        }
        if let Some(bias) = self.bias(tensor, op.bias) {
            weights.push(outputs.iter().map(|&at| bias[at]).collect::<Vec<_>>().into());
        }
        let small = Gemm { m: chosen_rows.len(), n: outputs.len(), ..op.clone() };
        let inputs: Vec<f32> = chosen_rows.iter().flat_map(|&row| x[row * k..(row + 1) * k].to_vec()).collect();
        let values = |&row: &usize| outputs.iter().map(|&at| y[row * width + at]).collect::<Vec<_>>();
        let got: Vec<f32> = chosen_rows.iter().flat_map(values).collect();
        let example = Example {
            weights,
            inputs: vec![inputs.into()],
            outputs: vec![vec![0.0_f32; got.len()].into()],
            live: Live::one(chosen_rows.len(), 0),
        };
        let how = choose(op, &*self.device, &self.settings.implementation);
        let rounding = how.map_or(0.0, |how| how.rounding(op));
        self.compare_within(stage, &small, rounding, &example, &[got.into()]);
    }

    /// The rows of the table that the pass looked up, as a table of their own.
    fn embed(&mut self, s: &RunState) -> Result<(), Fault> {
        let (rows, width) = (s.live.rows(), self.config.hidden);
        let tokens = match self.device.download(&s.tokens)? {
            Host::U32(mut tokens) => {
                tokens.truncate(rows);
                tokens
            }
            other => return Err(Fault::Device(format!("tokens are {:?}: a defect of the engine", other.of()))),
        };
        self.x = self.values(&s.x, rows * width)?;
        let row = |&token: &u32| self.weights.rows(Tensor::Embedding, token as usize..token as usize + 1);
        let mut weights: Vec<Host> = vec![tokens.iter().flat_map(row).collect::<Vec<u8>>().into()];
        let scales = self.weights.scales(Tensor::Embedding, 0, tokens.iter().map(|token| *token as usize));
        if !scales.is_empty() {
            weights.push(scales.into());
        }
        let (format, ..) = self.weights.pieces(Tensor::Embedding)[0];
        let op = Embed { rows, vocab: rows, format, ..self.blocks.embed() };
        let example = Example {
            weights,
            inputs: vec![(0..rows as u32).collect::<Vec<_>>().into()],
            outputs: vec![vec![0.0_f32; rows * width].into()],
            live: Live::one(rows, 0),
        };
        let got = [Host::F32(self.x.clone())];
        self.compare(Stage::Embed, &op, &example, &got);
        Ok(())
    }

    fn rope(&mut self, stage: Stage, layer: usize, s: &RunState) -> Result<(), Fault> {
        let rows = s.live.rows();
        let op = Rope { rows, ..self.blocks.rope(self.config.windowed[layer]) };
        let gains = [Part::QueryNorm, Part::KeyNorm].map(|part| Tensor::Layer(layer, part));
        let inputs = if op.qk_norm { gains.map(|gain| self.weights.gains(gain).into()).to_vec() } else { vec![] };
        let got = [Host::F32(self.values(&s.qkv, rows * op.row())?)];
        let outputs = vec![std::mem::take(&mut self.qkv).into()];
        let example = Example { weights: vec![], inputs, outputs, live: s.live.clone() };
        self.compare(stage, &op, &example, &got);
        Ok(())
    }

    /// The caches are downloaded after the append: the reference takes the new tokens from its input, the old from there.
    fn attention(&mut self, stage: Stage, layer: usize, s: &RunState) -> Result<(), Fault> {
        let (rows, op) = (s.live.rows(), self.blocks.attention(self.config.windowed[layer]));
        let width = self.config.attention_width();
        let got = [Host::F32(self.values(&s.attended, rows * width)?)];
        let [keys, values] = &s.caches[layer];
        let sinks = op.sinks.then(|| self.weights.vector(Tensor::Layer(layer, Part::Sinks)).into());
        let example = Example {
            weights: sinks.into_iter().collect(),
            inputs: vec![self.values(&s.qkv, rows * op.input_row())?.into()],
            outputs: vec![
                vec![0.0_f32; rows * width].into(),
                self.device.download(keys)?,
                self.device.download(values)?,
            ],
            live: s.live.clone(),
        };
        self.compare(stage, &op, &example, &got);
        Ok(())
    }

    fn swiglu(&mut self, stage: Stage, s: &RunState) -> Result<(), Fault> {
        let (rows, width) = (s.live.rows() * self.config.blocks().1 as usize, self.config.intermediate);
        let example = Example {
            weights: vec![],
            inputs: vec![self.values(&s.gate_up, rows * 2 * width)?.into()],
            outputs: vec![vec![0.0_f32; rows * width].into()],
            live: Live::one(rows, 0),
        };
        let got = [Host::F32(self.values(&s.activated, rows * width)?)];
        self.compare(stage, &SwiGlu { rows, ..self.blocks.swiglu() }, &example, &got);
        Ok(())
    }

    fn gather(&mut self, s: &RunState) -> Result<(), Fault> {
        let (width, sequences) = (self.config.hidden, self.settings.sequences);
        let (x, delta) = (self.values(&s.x, usize::MAX)?, self.values(&s.delta, usize::MAX)?);
        let (last_x, last_delta) = (self.values(&s.last_x, usize::MAX)?, self.values(&s.last_delta, usize::MAX)?);
        let (mut end, mut wrong, mut compared) = (0, 0, 0);
        for (sequence, span) in s.live.spans.iter().enumerate().filter(|(_, span)| span.rows > 0) {
            end += span.rows;
            let (from, to) = ((end - 1) * width..end * width, sequence * width..(sequence + 1) * width);
            wrong += usize::from(x[from.clone()] != last_x[to.clone()]) + usize::from(delta[from] != last_delta[to]);
            compared += 2 * width;
        }
        let max_error = if wrong == 0 { 0.0 } else { f64::INFINITY };
        self.findings.add(Stage::Gather, Check { max_error, tolerance: 0.0, compared });
        self.x = last_x;
        self.x.truncate(sequences * width);
        Ok(())
    }

    fn softcap(&mut self, s: &RunState) -> Result<(), Fault> {
        let Some(op) = self.blocks.softcap() else { return Ok(()) };
        let rows = s.live.rows();
        let got = [Host::F32(self.values(&s.logits, rows * op.width)?)];
        let outputs = vec![std::mem::take(&mut self.logits).into()];
        let example = Example { weights: vec![], inputs: vec![], outputs, live: Live::one(rows, 0) };
        self.compare(Stage::Softcap, &Softcap { rows, ..op }, &example, &got);
        Ok(())
    }

    fn sample(&mut self, s: &RunState) -> Result<(), Fault> {
        let (op, rows) = (self.blocks.sample(), self.settings.sequences);
        let example = Example {
            weights: vec![],
            inputs: vec![self.values(&s.logits, rows * op.vocab)?.into()],
            outputs: vec![vec![0_u32; rows].into()],
            live: s.last.clone(),
        };
        let got = match self.device.download(&s.tokens)? {
            Host::U32(mut tokens) => {
                tokens.truncate(rows);
                [Host::U32(tokens)]
            }
            other => [other],
        };
        self.compare(Stage::Sample, &Sample { rows, ..op }, &example, &got);
        Ok(())
    }
}

/// Canonical bytes as the gemm's operand.
fn stored(format: Format, bytes: Vec<u8>) -> Host {
    let pairs =
        |bytes: &[u8]| bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_bits(u16::from_le_bytes(*b))).collect();
    match format {
        Format::Bf16 => Host::Bf16(pairs(&bytes)),
        Format::F32 => Host::F32(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        _ => Host::U8(bytes),
    }
}

impl Watch for Checker<'_> {
    fn saw(&mut self, stage: Stage, s: &RunState) -> Result<(), Fault> {
        let last = self.config.layers - 1;
        let watched = |layer: usize| layer == 0 || layer == last;
        if stage == Stage::Embed {
            self.passes += 1;
        }
        // From here on the last tokens alone are worked on, whatever pass it was.
        let in_tail = match stage {
            Stage::FinalNorm | Stage::Head | Stage::Softcap | Stage::Sample => true,
            Stage::FeedForwardNorm(l) | Stage::Router(l) | Stage::Route(l) => l == last,
            Stage::GateUp(l) | Stage::SwiGlu(l) | Stage::Down(l) => l == last,
            _ => false,
        };
        if self.passes > 1 && !in_tail && stage != Stage::Gather {
            return Ok(());
        }
        let of = |layer, part| Tensor::Layer(layer, part);
        let rows = s.live.rows();
        match stage {
            Stage::Embed => self.embed(s),
            Stage::AttentionNorm(l) if watched(l) => {
                let behind = l.checked_sub(1).map(|before| of(before, Part::PostFeedForwardNorm));
                self.norm(stage, of(l, Part::AttentionNorm), behind, s)
            }
            Stage::Qkv(l) if watched(l) => {
                self.qkv = self.values(&s.qkv, rows * self.config.qkv_width())?;
                self.product(stage, &self.blocks.qkv(), of(l, Part::Qkv), &s.h, &s.qkv, rows)
            }
            Stage::Rope(l) if watched(l) => self.rope(stage, l, s),
            Stage::Attention(l) if watched(l) => self.attention(stage, l, s),
            Stage::Output(l) if watched(l) => {
                self.product(stage, &self.blocks.output(), of(l, Part::Output), &s.attended, &s.delta, rows)
            }
            Stage::Gather => self.gather(s),
            Stage::FeedForwardNorm(l) if watched(l) => {
                self.norm(stage, of(l, Part::FeedForwardNorm), Some(of(l, Part::PostAttentionNorm)), s)
            }
            // The norm of the next layer is compared with the stream as this one left it.
            Stage::FeedForwardNorm(_) => {
                self.x = self.values(&s.x, rows * self.config.hidden)?;
                Ok(())
            }
            Stage::Router(l) | Stage::Route(l) | Stage::GateUp(l) | Stage::Down(l)
                if watched(l) && self.config.mixture.is_some() =>
            {
                self.mixture(stage, l, s)
            }
            Stage::GateUp(l) if watched(l) => {
                self.product(stage, &self.blocks.gate_up(), of(l, Part::GateUp), &s.h, &s.gate_up, rows)
            }
            Stage::SwiGlu(l) if watched(l) => self.swiglu(stage, s),
            Stage::Down(l) if watched(l) => {
                self.product(stage, &self.blocks.down(), of(l, Part::Down), &s.activated, &s.delta, rows)
            }
            Stage::FinalNorm => self.norm(stage, Tensor::FinalNorm, Some(of(last, Part::PostFeedForwardNorm)), s),
            Stage::Head => {
                self.logits = self.values(&s.logits, rows * self.config.vocab)?;
                self.product(stage, &self.blocks.head(), Tensor::Head, &s.h, &s.logits, rows)
            }
            Stage::Softcap => self.softcap(s),
            Stage::Sample => self.sample(s),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
