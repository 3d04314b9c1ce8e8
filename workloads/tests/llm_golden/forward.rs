//! The forward pass a second time, in f64, from the dequantised canonical weights, as the makers of each family describe it.

use spark_kernels::rope::Scaling;
use spark_kernels::swiglu::Gate;
use spark_workloads::llm::weights::Part;
use spark_workloads::llm::{Config, Family, Settings, Synthetic, Tensor};
use std::f64::consts::{PI, TAU};

/// n × k as f64.
fn matrix(weights: &Synthetic, tensor: Tensor) -> (Vec<f64>, usize) {
    let (format, n, k) = weights.matrix(tensor);
    let bytes = weights.rows(tensor, 0..n);
    let scales = weights.scales(tensor, 0..n);
    ((0..n * k).map(|i| format.decode(&bytes, format.scale_of(&scales, i / k), i)).collect(), k)
}

fn times((w, k): &(Vec<f64>, usize), x: &[f64]) -> Vec<f64> {
    w.chunks_exact(*k).map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

fn add(x: &mut [f64], y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

fn wide(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

fn gemma(config: &Config) -> bool {
    matches!(config.family, Family::Gemma2 | Family::Gemma3)
}

/// x / rms(x) times the weight, or one more than it in Gemma.
fn normed(x: &[f64], weight: &[f32], config: &Config) -> Vec<f64> {
    let offset = if gemma(config) { 1.0 } else { 0.0 };
    let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
    let root = (mean + f64::from(config.eps)).sqrt();
    x.iter().zip(weight).map(|(v, w)| v / root * (offset + f64::from(*w))).collect()
}

/// Frequency i of `half`, and what cosine and sine are multiplied with; `most` tokens may come.
fn frequency(config: &Config, theta: f64, scaling: &Scaling, most: usize, i: usize, half: usize) -> (f64, f64) {
    let plain = theta.powf(-(i as f64) / half as f64);
    match *scaling {
        Scaling::None => (plain, 1.0),
        Scaling::Long { ref factors, .. } => {
            // Phi-3: one list of divisors up to the trained context, another beyond it; the magnitude is one of the whole stretch.
            let (trained, long) = config.long_scaling.as_ref().unwrap();
            let divisor = match long {
                Scaling::Long { factors: long, .. } if most > *trained => long[i],
                _ => factors[i],
            };
            let stretch = config.context as f64 / *trained as f64;
            (plain / divisor, (1.0 + stretch.ln() / (*trained as f64).ln()).sqrt())
        }
        Scaling::Linear(factor) => (plain / factor, 1.0),
        Scaling::Llama3 { factor, low, high, original } => {
            let wave = TAU / plain;
            let scaled = if wave < original / high {
                plain
            } else if wave > original / low {
                plain / factor
            } else {
                let smooth = (original / wave - low) / (high - low);
                (1.0 - smooth) * plain / factor + smooth * plain
            };
            (scaled, 1.0)
        }
        Scaling::Yarn { factor, fast, slow, original, truncate, .. } => {
            // Peng et al. 2023: dimension pair i makes original·plain/2π turns; the pair that makes β of them stands at
            // d·ln(original/2πβ)/(2 ln θ). Below the pair of β_fast nothing changes, above that of β_slow all is divided.
            let at = |turns: f64| 2.0 * half as f64 * (original / (TAU * turns)).ln() / (2.0 * theta.ln());
            let (mut from, mut to) = (at(fast), at(slow));
            if truncate {
                (from, to) = (from.floor(), to.ceil());
            }
            (from, to) = (from.max(0.0), to.min(2.0 * half as f64 - 1.0));
            let divided = ((i as f64 - from) / (to - from)).clamp(0.0, 1.0);
            (plain * (1.0 - divided) + plain / factor * divided, 0.1 * factor.ln() + 1.0)
        }
    }
}

/// The first `rotary` elements of a head, turned.
fn turn(head: &mut [f64], position: usize, layer: usize, config: &Config, most: usize) {
    let half = config.rotary / 2;
    let (theta, scaling) = match config.local_theta {
        Some(theta) if config.windowed[layer] => (theta, &Scaling::None),
        _ => (config.theta, &config.scaling),
    };
    for i in 0..half {
        let (frequency, magnitude) = frequency(config, theta, scaling, most, i, half);
        let (sin, cos) = (position as f64 * frequency).sin_cos();
        let (a, b) = (head[i] * magnitude, head[i + half] * magnitude);
        (head[i], head[i + half]) = (a * cos - b * sin, b * cos + a * sin);
    }
}

fn gated(gate: Gate, g: f64, u: f64) -> f64 {
    match gate {
        Gate::Silu => g / (1.0 + (-g).exp()) * u,
        Gate::GeluTanh => 0.5 * g * (1.0 + ((2.0 / PI).sqrt() * (g + 0.044715 * g.powi(3))).tanh()) * u,
        Gate::Clamped { limit } => {
            let limit = f64::from(limit);
            let (g, u) = (g.min(limit), u.clamp(-limit, limit));
            g / (1.0 + (-1.702 * g).exp()) * (u + 1.0)
        }
    }
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::MIN, f64::max);
    let p: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
    let sum: f64 = p.iter().sum();
    p.into_iter().map(|p| p / sum).collect()
}

/// One token's q against all keys up to its own, in every head; rows of qkv are turned already.
fn attend(config: &Config, layer: usize, qkv: &[Vec<f64>], position: usize, sinks: &[f64]) -> Vec<f64> {
    let d = config.head_dim;
    let scale = match config.family {
        Family::Gemma2 | Family::Gemma3 | Family::Granite => {
            config.attention_scale.map_or(1.0 / (d as f64).sqrt(), f64::from)
        }
        _ => 1.0 / (d as f64).sqrt(),
    };
    let first = match config.window {
        Some(window) if config.windowed[layer] => (position + 1).saturating_sub(window),
        _ => 0,
    };
    let mut attended = Vec::new();
    for head in 0..config.heads {
        let kv = head / (config.heads / config.kv_heads);
        let q = &qkv[position][head * d..(head + 1) * d];
        let key = |t: usize| &qkv[t][(config.heads + kv) * d..(config.heads + kv + 1) * d];
        let value = |t: usize| &qkv[t][(config.heads + config.kv_heads + kv) * d..][..d];
        let score = |t| {
            let plain = q.iter().zip(key(t)).map(|(a, b)| a * b).sum::<f64>() * scale;
            config.softcap.map_or(plain, |cap| f64::from(cap) * (plain / f64::from(cap)).tanh())
        };
        // A sink is one score more; what it takes goes nowhere.
        let scores: Vec<f64> = (first..=position).map(score).chain(sinks.get(head).copied()).collect();
        let p = softmax(&scores);
        attended.extend((0..d).map(|i| (first..=position).map(|t| p[t - first] * value(t)[i]).sum::<f64>()));
    }
    attended
}

/// What one expert, or the one block there is, makes of h: matrices gate and up, down, and their biases.
fn block(config: &Config, h: &[f64], gate_up: &[f64], down: &[f64], biases: Option<(&[f32], &[f32])>) -> Vec<f64> {
    let (hidden, inner) = (config.hidden, config.intermediate);
    let mut both = times(&(gate_up.to_vec(), hidden), h);
    if let Some((bias, _)) = biases {
        both.iter_mut().zip(bias).for_each(|(v, b)| *v += f64::from(*b));
    }
    let (g, u) = both.split_at(inner);
    let activated: Vec<f64> = g.iter().zip(u).map(|(g, u)| gated(config.gate, *g, *u)).collect();
    let mut out = times(&(down.to_vec(), inner), &activated);
    if let Some((_, bias)) = biases {
        out.iter_mut().zip(bias).for_each(|(v, b)| *v += f64::from(*b));
    }
    out
}

/// The shared expert as the one wide block that it is in the family's own code: the pieces behind the `first` experts put together.
fn shared(config: &Config, first: usize, h: &[f64], gate_up: &[f64], down: &[f64]) -> Vec<f64> {
    let (hidden, inner) = (config.hidden, config.intermediate);
    let pieces = first..down.len() / (hidden * inner);
    let halves = |half: usize| {
        let rows = move |piece: usize| (2 * piece + half) * inner * hidden..(2 * piece + half + 1) * inner * hidden;
        pieces.clone().flat_map(move |piece| gate_up[rows(piece)].iter().copied())
    };
    let wide: Vec<f64> = halves(0).chain(halves(1)).collect();
    let row = |output: usize| {
        let of = move |piece: usize| (piece * hidden + output) * inner..(piece * hidden + output + 1) * inner;
        pieces.clone().flat_map(move |piece| down[of(piece)].iter().copied())
    };
    let narrow: Vec<f64> = (0..hidden).flat_map(row).collect();
    let config = Config { intermediate: pieces.len() * inner, ..config.clone() };
    block(&config, h, &wide, &narrow, None)
}

fn feed_forward(config: &Config, weights: &Synthetic, layer: usize, h: &[f64]) -> Vec<f64> {
    let of = |part| Tensor::Layer(layer, part);
    let Some(mixture) = config.mixture else {
        let (gate_up, down) = (matrix(weights, of(Part::GateUp)).0, matrix(weights, of(Part::Down)).0);
        return block(config, h, &gate_up, &down, None);
    };
    let mut logits = times(&matrix(weights, of(Part::Router)), h);
    if mixture.bias {
        add(&mut logits, &wide(weights.vector(of(Part::RouterBias))));
    }
    let mut chosen: Vec<usize> = (0..mixture.experts).collect();
    // The last logit is the gate of the shared expert.
    assert_eq!(logits.len(), mixture.experts + usize::from(mixture.shared > 0));
    chosen.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    chosen.truncate(mixture.active);
    // gpt-oss: softmax of the chosen. Qwen3: softmax of all, then divided by the sum of the chosen if norm_topk_prob.
    let say = match config.family {
        Family::GptOss => softmax(&chosen.iter().map(|e| logits[*e]).collect::<Vec<_>>()),
        _ => {
            let all = softmax(&logits[..mixture.experts]);
            let sum: f64 = if mixture.normalised { chosen.iter().map(|e| all[*e]).sum() } else { 1.0 };
            chosen.iter().map(|e| all[*e] / sum).collect()
        }
    };
    let (gate_up, down) = (matrix(weights, of(Part::ExpertGateUp)).0, matrix(weights, of(Part::ExpertDown)).0);
    let biases = mixture.bias.then(|| [Part::ExpertGateUpBias, Part::ExpertDownBias].map(|p| weights.vector(of(p))));
    let (hidden, inner) = (config.hidden, config.intermediate);
    let mut out = vec![0.0; hidden];
    for (expert, say) in chosen.into_iter().zip(say) {
        let part = |all: &[f64]| {
            let len = all.len() / (mixture.experts + mixture.shared);
            all[expert * len..(expert + 1) * len].to_vec()
        };
        let biases = biases.as_ref().map(|[gate_up, down]| {
            (&gate_up[expert * 2 * inner..(expert + 1) * 2 * inner], &down[expert * hidden..(expert + 1) * hidden])
        });
        let said = block(config, h, &part(&gate_up), &part(&down), biases);
        out.iter_mut().zip(said).for_each(|(x, y)| *x += say * y);
    }
    if mixture.shared > 0 {
        let say = 1.0 / (1.0 + (-logits[mixture.experts]).exp());
        let said = shared(config, mixture.experts, h, &gate_up, &down);
        out.iter_mut().zip(said).for_each(|(x, y)| *x += say * y);
    }
    out
}

/// Logits of the last of `tokens`: the whole sequence at once, no cache, nothing rounded.
pub(crate) fn forward(config: &Config, settings: &Settings, tokens: &[u32]) -> Vec<f64> {
    let weights = Synthetic::new(config, settings.format, settings.head, settings.seed);
    let d = config.head_dim;
    let table = matrix(&weights, Tensor::Embedding);
    let times_embedding = match config.family {
        Family::Gemma2 | Family::Gemma3 => (config.hidden as f64).sqrt(),
        Family::Granite => f64::from(config.embedding_multiplier),
        _ => 1.0,
    };
    let row = |token: &u32| &table.0[*token as usize * config.hidden..(*token as usize + 1) * config.hidden];
    let mut x: Vec<Vec<f64>> = tokens.iter().map(|t| row(t).iter().map(|v| v * times_embedding).collect()).collect();
    for layer in 0..config.layers {
        let of = |part| Tensor::Layer(layer, part);
        // What a block gives is normalised before it is added (Gemma), or multiplied (Granite).
        let added = |mut y: Vec<f64>, norm| {
            if gemma(config) {
                y = normed(&y, &weights.vector(of(norm)), config);
            }
            let factor = if config.family == Family::Granite { f64::from(config.residual_multiplier) } else { 1.0 };
            y.iter_mut().for_each(|v| *v *= factor);
            y
        };
        let (gain, w) = (weights.vector(of(Part::AttentionNorm)), matrix(&weights, of(Part::Qkv)));
        let mut qkv: Vec<_> = x.iter().map(|x| times(&w, &normed(x, &gain, config))).collect();
        for (position, row) in qkv.iter_mut().enumerate() {
            if config.qkv_bias {
                add(row, &wide(weights.vector(of(Part::QkvBias))));
            }
            for (i, head) in row.chunks_exact_mut(d).take(config.heads + config.kv_heads).enumerate() {
                if config.qk_norm {
                    let part = if i < config.heads { Part::QueryNorm } else { Part::KeyNorm };
                    head.copy_from_slice(&normed(head, &weights.vector(of(part)), config));
                }
                turn(head, position, layer, config, settings.capacity);
            }
        }
        let output = matrix(&weights, of(Part::Output));
        let sinks = if config.family == Family::GptOss { wide(weights.vector(of(Part::Sinks))) } else { vec![] };
        for (position, x) in x.iter_mut().enumerate() {
            let mut y = times(&output, &attend(config, layer, &qkv, position, &sinks));
            if config.output_bias {
                add(&mut y, &wide(weights.vector(of(Part::OutputBias))));
            }
            add(x, &added(y, Part::PostAttentionNorm));
        }
        let gain = weights.vector(of(Part::FeedForwardNorm));
        for x in &mut x {
            let y = feed_forward(config, &weights, layer, &normed(x, &gain, config));
            add(x, &added(y, Part::PostFeedForwardNorm));
        }
    }
    let head = matrix(&weights, if config.tied { Tensor::Embedding } else { Tensor::Head });
    let h = normed(x.last().unwrap(), &weights.vector(Tensor::FinalNorm), config);
    let scaling = if config.family == Family::Granite { f64::from(config.logits_scaling) } else { 1.0 };
    let bent = |logit: f64| config.logit_softcap.map_or(logit, |cap| f64::from(cap) * (logit / f64::from(cap)).tanh());
    times(&head, &h).into_iter().map(|logit| bent(logit / scaling)).collect()
}
