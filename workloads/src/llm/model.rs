//! A decoder ready to run: weights packed, buffers allocated, sequences counted.

use crate::llm::blocks::{Blocks, Settings};
use crate::llm::choose::{Chooser, known};
use crate::llm::findings::Findings;
use crate::llm::forward::{FeedForward, LayerOps, Ops, Unwatched, Watch, body, sample, tail, verify};
use crate::llm::projection::{embedding, experts, product};
use crate::llm::state::RunState;
use crate::llm::weights::{Part, Synthetic, Tensor};
use crate::llm::{Config, Weights, check};
use half::bf16;
use spark_kernels::attention::{Attention, fill_bytes};
use spark_kernels::device::{Replay, write};
use spark_kernels::format::splitmix::derive;
use spark_kernels::format::synth::synth_f32_into;
use spark_kernels::gemm::Activations;
use spark_kernels::{Buffer, Device, Fault, Host, Placement, Prepared, Span, Type, Unsupported};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A decoder with its weights.
#[derive(Debug)]
pub struct Model {
    config: Config,
    settings: Settings,
    weights: Weights,
    ops: Ops,
    state: RunState,
    taken: BTreeMap<&'static str, Vec<&'static str>>,
    resident: u64,
    device: Arc<dyn Device>,
    /// A decode step as the device recorded it.
    step: Option<Box<dyn Replay>>,
    /// Whether the device records steps, as far as is known.
    steps: bool,
}

impl Model {
    /// Makes the weights and packs them, tensor by tensor: besides what is packed, no more than one tensor stands in memory.
    /// Errors: a shape that cannot be, an implementation that is not there, no memory left.
    pub fn load(config: &Config, settings: &Settings, device: &Arc<dyn Device>) -> Result<Self, Fault> {
        let blocks = Blocks::new(config, settings);
        blocks.validate().map_err(|invalid| Fault::Unsupported(Unsupported(invalid.0)))?;
        let weights = Synthetic::new(config, settings.format, settings.head, settings.seed);
        Self::of(config, settings, Weights::Synthetic(Box::new(weights)), device)
    }

    /// Packs `weights`, tensor by tensor. Errors: as above.
    pub fn of(config: &Config, settings: &Settings, weights: Weights, device: &Arc<dyn Device>) -> Result<Self, Fault> {
        let blocks = Blocks::new(config, settings).on(device.backend());
        known(&weights.widest(&blocks), &**device, &settings.implementation)?;
        let mut with = Chooser {
            device: &**device,
            name: &settings.implementation,
            taken: BTreeMap::new(),
            resident: 0,
            parts: Arc::default(),
        };
        let vector = |tensor| device.upload(&Host::F32(weights.vector(tensor)));
        let state = RunState::new(config, settings, &**device)?;
        let mut layers = Vec::with_capacity(config.layers);
        let embed = embedding(&mut with, &weights, &blocks, device)?;
        let gains = |tensor: Tensor| device.upload(&Host::F32(weights.gains(tensor)));
        // The gains of a norm, and those of what is added before it.
        let norms = |tensor: Tensor, behind: Option<Tensor>| -> Result<Vec<Buffer>, Fault> {
            [Some(tensor), behind.filter(|_| config.post_norms)].into_iter().flatten().map(gains).collect()
        };
        for layer in 0..config.layers {
            let of = |part| Tensor::Layer(layer, part);
            let qkv = product(&mut with, &weights, &blocks.qkv(), of(Part::Qkv), device)?;
            let output = product(&mut with, &weights, &blocks.output(), of(Part::Output), device)?;
            let feed_forward = match blocks.mixture(layer) {
                None => FeedForward::Dense {
                    gate_up: product(&mut with, &weights, &blocks.gate_up(), of(Part::GateUp), device)?,
                    down: product(&mut with, &weights, &blocks.down(), of(Part::Down), device)?,
                },
                Some(ops) => FeedForward::Mixture {
                    router: product(&mut with, &weights, &ops.router, of(Part::Router), device)?,
                    route: with.prepare(&ops.route, &[])?,
                    touched: with.prepare(&ops.touched, &[])?,
                    gate_up: experts(&mut with, &weights, &ops.gate_up, of(Part::ExpertGateUp), device)?,
                    down: experts(&mut with, &weights, &ops.down, of(Part::ExpertDown), device)?,
                },
            };
            let before = layer.checked_sub(1).map(|before| Tensor::Layer(before, Part::PostFeedForwardNorm));
            let local = config.windowed[layer];
            layers.push(LayerOps {
                attention_norm: with.prepare(&blocks.norm(layer > 0), &norms(of(Part::AttentionNorm), before)?)?,
                qkv,
                head_gains: match config.qk_norm {
                    true => Some([gains(of(Part::QueryNorm))?, gains(of(Part::KeyNorm))?]),
                    false => None,
                },
                attention: match config.sinks {
                    true => Some(with.prepare(&blocks.attention(local), &[vector(of(Part::Sinks))?])?),
                    false => None,
                },
                output,
                feed_forward_norm: {
                    let behind = Some(of(Part::PostAttentionNorm));
                    with.prepare(&blocks.norm(true), &norms(of(Part::FeedForwardNorm), behind)?)?
                },
                feed_forward,
            });
        }
        let (windowed, plain) =
            (config.windowed.contains(&true), Attention { sinks: false, ..blocks.attention(false) });
        let local = Attention { sinks: false, ..blocks.attention(true) };
        let ops = Ops {
            embed,
            layers,
            rope: with.prepare(&blocks.rope(false), &[])?,
            local_rope: match windowed && config.local_theta.is_some() {
                true => Some(with.prepare(&blocks.rope(true), &[])?),
                false => None,
            },
            attention: with.prepare(&plain, &[])?,
            local_attention: match windowed && local != plain {
                true => Some(with.prepare(&local, &[])?),
                false => None,
            },
            swiglu: with.prepare(&blocks.swiglu(), &[])?,
            final_norm: {
                let behind = Some(Tensor::Layer(config.layers - 1, Part::PostFeedForwardNorm));
                with.prepare(&blocks.final_norm(), &norms(Tensor::FinalNorm, behind)?)?
            },
            head: product(&mut with, &weights, &blocks.head(), Tensor::Head, device)?,
            softcap: blocks.softcap().map(|op| with.prepare(&op, &[])).transpose()?,
            sample: with.prepare(&blocks.sample(), &[])?,
            gather: with.prepare(&blocks.gather(), &[])?,
        };
        let Chooser { taken, resident, .. } = with;
        let (config, settings, device) = (config.clone(), settings.clone(), device.clone());
        Ok(Self { config, settings, weights, ops, state, taken, resident, device, step: None, steps: true })
    }

    /// Its shape.
    pub fn config(&self) -> &Config {
        &self.config
    }
    /// Its weights, and where it runs.
    pub(crate) fn made_of(&self) -> (Weights, Arc<dyn Device>) {
        (self.weights.clone(), self.device.clone())
    }
    /// How it runs.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
    /// What attention's queries and probabilities are rounded to.
    pub fn attention_activations(&self) -> Activations {
        Blocks::new(&self.config, &self.settings).on(self.device.backend()).attention_activations()
    }
    /// Bytes that packed weights occupy.
    pub fn resident(&self) -> u64 {
        self.resident
    }
    /// The implementations taken: `attention avx512, gemm avx512-vnni, …`.
    pub fn implementations(&self) -> String {
        let shown: Vec<_> = self.taken.iter().map(|(op, names)| format!("{op} {}", names.join("+"))).collect();
        shown.join(", ")
    }
    /// Every buffer: activations, caches, packed weights.
    pub fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        let s = &self.state;
        let own = [&s.tokens, &s.x, &s.delta, &s.h, &s.qkv, &s.attended, &s.gate_up, &s.activated, &s.logits];
        own.into_iter().chain(s.caches.iter().flatten()).chain(self.ops.weighty().flat_map(Prepared::buffers))
    }
    /// The buffers that are no weights: those of a pass, the caches.
    pub fn passing(&self) -> impl Iterator<Item = &Buffer> {
        self.state.buffers()
    }
    /// Tokens that `sequence` holds.
    pub fn length(&self, sequence: usize) -> usize {
        self.state.lengths[sequence]
    }
    /// Says that every sequence holds `length` tokens: what stands in the caches beyond is forgotten.
    pub fn rewind(&mut self, length: usize) {
        self.state.lengths.fill(length);
    }
    /// The same with a length for each sequence. Panics if they are not one a sequence.
    pub fn rewind_each(&mut self, lengths: &[usize]) {
        self.state.lengths.copy_from_slice(lengths);
    }
    /// Experts whose weights were read since they were last forgotten, over all layers and passes; `None` without experts.
    pub fn touched(&self) -> Result<Option<u64>, Fault> {
        let Some(routed) = &self.state.routed else { return Ok(None) };
        match self.device.download(&routed.touched)? {
            Host::U64(touched) => Ok(touched.first().copied()),
            other => Err(Fault::Device(format!("a count of experts is {:?}: a defect of the engine", other.of()))),
        }
    }
    /// Counts the experts that are touched from 0 again.
    pub fn forget_touched(&mut self) -> Result<(), Fault> {
        let Some(routed) = &mut self.state.routed else { return Ok(()) };
        write(&*self.device, &mut routed.touched, 0, &[0_u64])
    }
    /// Sets the next token of every sequence. Panics if they are not one a sequence.
    pub fn set_next(&mut self, tokens: &[u32]) -> Result<(), Fault> {
        assert_eq!(tokens.len(), self.settings.sequences, "one next token a sequence");
        write(&*self.device, &mut self.state.tokens, 0, tokens)
    }
    /// The next token of every sequence, as sampled last or set.
    pub fn next(&self) -> Result<Vec<u32>, Fault> {
        match self.device.download(&self.state.tokens)? {
            Host::U32(mut tokens) => {
                tokens.truncate(self.settings.sequences);
                Ok(tokens)
            }
            other => Err(Fault::Device(format!("tokens are {:?}: a defect of the engine", other.of()))),
        }
    }
    /// The logits of the last token of `sequence`, vocab of them.
    pub fn logits(&self, sequence: usize) -> Result<Vec<f32>, Fault> {
        let Host::F32(all) = self.device.download(&self.state.logits)? else {
            return Err(Fault::Device("logits are no f32 values: a defect of the engine".to_owned()));
        };
        let vocab = self.config.vocab;
        Ok(all[sequence * vocab..(sequence + 1) * vocab].to_vec())
    }
    /// Fills all caches with seeded keys and values of deviation 1.28, what projections of these weights have, so that a depth
    /// can be measured that was never prefilled.
    pub fn seed_caches(&mut self) -> Result<(), Fault> {
        for (i, cache) in self.state.caches.iter_mut().flatten().enumerate() {
            let seed = derive(derive(self.settings.seed, 1 << 32), i as u64);
            // What a GPU holds is made here first.
            let mut made = match cache.pages() {
                Some(_) => None,
                None => Some(Buffer::host(cache.of(), cache.len(), Placement::Fast)?),
            };
            let to = made.as_mut().unwrap_or(cache);
            match to.of() {
                Type::F32 => synth_f32_into(to.slice_mut(), seed, 1.28),
                Type::U8 => {
                    fill_bytes(self.settings.kv, to.slice_mut(), self.config.head_dim, i % 2 == 0, |token, row| {
                        synth_f32_into(row, derive(seed, token as u64), 1.28);
                    });
                }
                _ => {
                    let mut values = [0.0_f32; 4096];
                    for (chunk, out) in to.slice_mut::<bf16>().chunks_mut(values.len()).enumerate() {
                        synth_f32_into(&mut values, derive(seed, chunk as u64), 1.28);
                        out.iter_mut().zip(values).for_each(|(out, value)| *out = bf16::from_f32(value));
                    }
                }
            }
            if let Some(made) = made {
                self.device.write_bytes(cache, 0, made.host_bytes())?;
            }
        }
        Ok(())
    }

    /// Runs `prompts`, one a sequence, `rows` tokens a pass, and leaves the logits of each prompt's last token. Nothing is
    /// sampled. Errors: not one prompt a sequence, an empty one, one that does not fit, or a token that is not in the vocabulary.
    pub fn prefill(&mut self, prompts: &[&[u32]]) -> Result<(), Fault> {
        self.prefill_watched(prompts, &mut Unwatched)
    }
    pub(crate) fn prefill_watched(&mut self, prompts: &[&[u32]], watch: &mut impl Watch) -> Result<(), Fault> {
        let Self { config, settings, ops, state, device, .. } = self;
        if prompts.len() != settings.sequences || prompts.iter().any(|prompt| prompt.is_empty()) {
            let what = format!(
                "{} prompts for {} sequences; give one each, of at least one token",
                prompts.len(),
                settings.sequences
            );
            return Err(Fault::Device(what));
        }
        let longest = prompts.iter().zip(&state.lengths).map(|(p, past)| p.len() + past).max().unwrap_or(0);
        if longest > settings.capacity {
            return Err(full(longest, settings.capacity));
        }
        let (mut sequence, mut done) = (0, 0);
        while sequence < prompts.len() {
            // One pass: as many rows as fit, of this sequence and the next ones.
            state.live.spans.clear();
            state.live.spans.extend(state.lengths.iter().map(|past| Span { rows: 0, past: *past }));
            let mut filled = 0;
            while sequence < prompts.len() && filled < settings.rows {
                let take = (prompts[sequence].len() - done).min(settings.rows - filled);
                let tokens = &prompts[sequence][done..done + take];
                write(&**device, &mut state.tokens, filled, tokens)?;
                state.live.spans[sequence].rows = take;
                (filled, done) = (filled + take, done + take);
                if done == prompts[sequence].len() {
                    (sequence, done) = (sequence + 1, 0);
                }
            }
            body(config, ops, state, watch)?;
            for (length, span) in state.lengths.iter_mut().zip(&state.live.spans) {
                *length += span.rows;
            }
        }
        tail(config, ops, state, watch)
    }

    /// Chooses the next token of every sequence from its logits.
    pub fn sample(&mut self) -> Result<(), Fault> {
        sample(&mut self.ops, &mut self.state, &mut Unwatched)
    }

    /// One token more for every sequence: the next ones are run, their logits computed, and new next ones chosen, all on the
    /// device. Errors: a sequence is full.
    pub fn decode(&mut self) -> Result<(), Fault> {
        if !self.steps {
            return self.decode_watched(&mut Unwatched);
        }
        self.one_more()?;
        if self.step.is_none() {
            let Self { config, ops, state, device, .. } = self;
            let live = state.live.clone();
            self.step = device.record(&live, &mut || {
                body(config, ops, state, &mut Unwatched)?;
                tail(config, ops, state, &mut Unwatched)?;
                sample(ops, state, &mut Unwatched)
            })?;
        }
        let Self { step: Some(step), state, .. } = self else {
            // The device records nothing: so be it from here on.
            self.steps = false;
            return self.decode_watched(&mut Unwatched);
        };
        step.run(&state.live)?;
        state.place_last();
        state.lengths.iter_mut().for_each(|length| *length += 1);
        Ok(())
    }
    /// Makes the pass one row for every sequence. Errors: one is full.
    fn one_more(&mut self) -> Result<(), Fault> {
        let Self { settings, state, .. } = self;
        if let Some(length) = state.lengths.iter().find(|length| **length >= settings.capacity) {
            return Err(full(length + 1, settings.capacity));
        }
        state.live.spans.clear();
        state.live.spans.extend(state.lengths.iter().map(|past| Span { rows: 1, past: *past }));
        Ok(())
    }
    pub(crate) fn decode_watched(&mut self, watch: &mut impl Watch) -> Result<(), Fault> {
        self.one_more()?;
        let Self { config, ops, state, .. } = self;
        body(config, ops, state, watch)?;
        state.lengths.iter_mut().for_each(|length| *length += 1);
        tail(config, ops, state, watch)?;
        sample(ops, state, watch)
    }

    /// Runs `tokens` in one pass of the one sequence and returns what the model would say after each of them. Errors: more rows than
    /// are verified, or than fit.
    pub fn verify(&mut self, tokens: &[u32]) -> Result<Vec<u32>, Fault> {
        let Self { config, settings, ops, state, device, .. } = self;
        let (rows, past) = (tokens.len(), state.lengths[0]);
        if settings.sequences != 1 || !(1..=settings.verified.min(settings.rows)).contains(&rows) {
            let what = format!("{rows} rows cannot be verified; the model was prepared for {}", settings.verified);
            return Err(Fault::Device(what));
        }
        if past + rows > settings.capacity {
            return Err(full(past + rows, settings.capacity));
        }
        write(&**device, &mut state.tokens, 0, tokens)?;
        state.live.spans.clear();
        state.live.spans.push(Span { rows, past });
        body(config, ops, state, &mut Unwatched)?;
        verify(config, ops, state)?;
        state.lengths[0] += rows;
        match self.device.download(&self.state.tokens)? {
            Host::U32(mut said) => {
                said.truncate(rows);
                Ok(said)
            }
            other => Err(Fault::Device(format!("tokens are {:?}: a defect of the engine", other.of()))),
        }
    }

    /// Compares ops of the first and the last layer and the head, on the values of one pass, with their f64 references. The
    /// pass is a decode step, or the first `prompt` of every sequence.
    pub fn check(&mut self, prompts: Option<&[&[u32]]>) -> Result<Findings, Fault> {
        let (config, settings) = (self.config.clone(), self.settings.clone());
        let mut checker = check::Checker::new(&config, &settings, self.weights.clone(), &self.device);
        match prompts {
            Some(prompts) => self.prefill_watched(prompts, &mut checker)?,
            None => self.decode_watched(&mut checker)?,
        }
        Ok(checker.findings)
    }
}

fn full(tokens: usize, capacity: usize) -> Fault {
    Fault::Device(format!("a sequence comes to {tokens} tokens and was prepared for {capacity}; prepare it for more"))
}
