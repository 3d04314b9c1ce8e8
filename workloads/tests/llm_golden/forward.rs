//! The forward pass a second time, in f64, from the dequantised canonical weights.

use spark_kernels::format::synth::synth_tensor_scale;
use spark_kernels::rope::Scaling;
use spark_workloads::llm::weights::Part;
use spark_workloads::llm::{Config, Settings, Synthetic, Tensor};
use std::f64::consts::TAU;

/// n × k as f64.
fn matrix(weights: &Synthetic, tensor: Tensor) -> (Vec<f64>, usize) {
    let (format, n, k) = weights.matrix(tensor);
    let bytes = weights.rows(tensor, 0..n);
    ((0..n * k).map(|i| format.decode(&bytes, synth_tensor_scale(format), i)).collect(), k)
}

fn times((w, k): &(Vec<f64>, usize), x: &[f64]) -> Vec<f64> {
    w.chunks_exact(*k).map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

fn normed(x: &[f64], gain: &[f32], eps: f64) -> Vec<f64> {
    let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
    x.iter().zip(gain).map(|(v, g)| v / (mean + eps).sqrt() * f64::from(*g)).collect()
}

fn turned(head: &mut [f64], position: usize, config: &Config) {
    let half = head.len() / 2;
    for i in 0..half {
        let plain = config.theta.powf(-(i as f64) / half as f64);
        let frequency = match config.scaling {
            Scaling::None => plain,
            Scaling::Linear(factor) => plain / factor,
            Scaling::Llama3 { factor, low, high, original } => {
                let wave = TAU / plain;
                if wave < original / high {
                    plain
                } else if wave > original / low {
                    plain / factor
                } else {
                    let smooth = (original / wave - low) / (high - low);
                    (1.0 - smooth) * plain / factor + smooth * plain
                }
            }
        };
        let (sin, cos) = (position as f64 * frequency).sin_cos();
        let (a, b) = (head[i], head[i + half]);
        (head[i], head[i + half]) = (a * cos - b * sin, b * cos + a * sin);
    }
}

/// Logits of the last of `tokens`: the whole sequence at once, no cache, nothing rounded.
pub(crate) fn forward(config: &Config, settings: &Settings, tokens: &[u32]) -> Vec<f64> {
    let weights = Synthetic::new(config, settings.format, settings.head, settings.seed);
    let (d, eps) = (config.head_dim, f64::from(config.eps));
    let table = matrix(&weights, Tensor::Embedding);
    let row = |token: &u32| table.0[*token as usize * config.hidden..(*token as usize + 1) * config.hidden].to_vec();
    let mut x: Vec<Vec<f64>> = tokens.iter().map(row).collect();
    for layer in 0..config.layers {
        let of = |part| Tensor::Layer(layer, part);
        let (gain, w) = (weights.vector(of(Part::AttentionNorm)), matrix(&weights, of(Part::Qkv)));
        let mut qkv: Vec<_> = x.iter().map(|x| times(&w, &normed(x, &gain, eps))).collect();
        for (position, row) in qkv.iter_mut().enumerate() {
            if config.qkv_bias {
                row.iter_mut().zip(weights.vector(of(Part::QkvBias))).for_each(|(v, b)| *v += f64::from(b));
            }
            for (i, head) in row.chunks_exact_mut(d).take(config.heads + config.kv_heads).enumerate() {
                if config.qk_norm {
                    let part = if i < config.heads { Part::QueryNorm } else { Part::KeyNorm };
                    head.copy_from_slice(&normed(head, &weights.vector(of(part)), eps));
                }
                turned(head, position, config);
            }
        }
        let output = matrix(&weights, of(Part::Output));
        for position in 0..x.len() {
            let mut attended = Vec::new();
            for head in 0..config.heads {
                let kv = head / (config.heads / config.kv_heads);
                let q = &qkv[position][head * d..(head + 1) * d];
                let key = |t: usize| &qkv[t][(config.heads + kv) * d..(config.heads + kv + 1) * d];
                let value = |t: usize| &qkv[t][(config.heads + config.kv_heads + kv) * d..][..d];
                let dot = |t| q.iter().zip(key(t)).map(|(a, b)| a * b).sum::<f64>() / (d as f64).sqrt();
                let scores: Vec<f64> = (0..=position).map(dot).collect();
                let largest = scores.iter().copied().fold(f64::MIN, f64::max);
                let p: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
                let sum: f64 = p.iter().sum();
                attended.extend((0..d).map(|i| (0..=position).map(|t| p[t] / sum * value(t)[i]).sum::<f64>()));
            }
            let added = times(&output, &attended);
            x[position].iter_mut().zip(added).for_each(|(x, y)| *x += y);
        }
        let gain = weights.vector(of(Part::FeedForwardNorm));
        let (gate_up, down) = (matrix(&weights, of(Part::GateUp)), matrix(&weights, of(Part::Down)));
        for x in &mut x {
            let both = times(&gate_up, &normed(x, &gain, eps));
            let (gate, up) = both.split_at(config.intermediate);
            let activated: Vec<f64> = gate.iter().zip(up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
            x.iter_mut().zip(times(&down, &activated)).for_each(|(x, y)| *x += y);
        }
    }
    let head = matrix(&weights, if config.tied { Tensor::Embedding } else { Tensor::Head });
    times(&head, &normed(x.last().unwrap(), &weights.vector(Tensor::FinalNorm), eps))
}
