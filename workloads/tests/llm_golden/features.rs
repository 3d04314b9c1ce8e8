//! Every feature of every family moves the logits: without it the golden tests would see nothing.

use crate::forward::forward;
use crate::models::model;
use crate::{F32_BOUND, distance, engine, exact, prompt, wide};
use spark_kernels::rope::Scaling;
use spark_kernels::swiglu::Gate;
use spark_workloads::llm::Config;

/// A model, what it is robbed of, and how.
type Lack = (&'static str, &'static str, fn(&mut Config));

#[test]
fn a_model_without_one_of_its_features_gives_other_logits() {
    // One detail at a time: each has to move the logits far beyond the bound, or the test above would not see it.
    let lacking: Vec<Lack> = vec![
        ("mistral, window 9", "window", |c| c.window = Some(10)),
        ("qwen2, window 11 from layer 1 on", "layers", |c| c.windowed[0] = true),
        ("gemma3, 1 of 3 layers global", "pattern", |c| c.windowed.rotate_left(1)),
        ("gemma3, 1 of 3 layers global", "window", |c| c.window = None),
        ("gemma3, 1 of 3 layers global", "local base", |c| c.local_theta = Some(110.0)),
        ("gemma3, 1 of 3 layers global", "scale", |c| c.attention_scale = None),
        ("gemma3, 1 of 3 layers global", "gate", |c| c.gate = Gate::Silu),
        ("gemma3, 1 of 3 layers global", "global scaling", |c| c.scaling = Scaling::None),
        ("gemma3, scores bent, no window in reach", "softcap", |c| c.softcap = None),
        ("gemma3, scores bent, no window in reach", "local layers", |c| c.windowed = vec![false; 3]),
        ("granite", "embedding", |c| c.embedding_multiplier = 11.0),
        ("granite", "residual", |c| c.residual_multiplier = 0.25),
        ("granite", "scores", |c| c.attention_scale = None),
        ("granite", "logits", |c| c.logits_scaling = 4.01),
        ("phi3, three quarters of a head turned", "rotary", |c| c.rotary = 32),
        ("llama with biases", "output bias", |c| c.output_bias = false),
        ("gpt-oss", "limit", |c| c.gate = Gate::Clamped { limit: 7.0 }),
        ("gpt-oss", "experts a token", |c| c.mixture.as_mut().unwrap().active = 2),
        ("gpt-oss", "biases of experts", |c| c.mixture.as_mut().unwrap().bias = false),
        ("gpt-oss", "yarn", |c| c.scaling = Scaling::None),
        ("gpt-oss", "window", |c| c.windowed.rotate_left(1)),
        ("gemma2", "softcap", |c| c.softcap = None),
        ("gemma2", "softcap of logits", |c| c.logit_softcap = None),
        ("gemma2", "pattern", |c| c.windowed.rotate_left(1)),
        ("phi3, longrope, long", "long factors", |c| c.long_scaling.as_mut().unwrap().0 = 64),
        ("phi3, longrope, short", "short factors", |c| c.scaling = Scaling::None),
        ("qwen2 with experts, one shared", "shared expert", |c| c.mixture.as_mut().unwrap().shared = 0),
        ("qwen2 with experts, one shared", "biases", |c| c.qkv_bias = false),
        ("qwen3 with experts", "weights", |c| c.mixture.as_mut().unwrap().normalised = false),
        ("qwen3 with experts", "experts a token", |c| c.mixture.as_mut().unwrap().active = 5),
    ];
    for (name, what, change) in lacking {
        let right = model(name);
        let tokens = prompt(&right, 40, 1);
        let mut wrong = right.clone();
        change(&mut wrong);
        let error = distance(wide(&engine(&right, &exact(), &tokens)), &forward(&wrong, &exact(), &tokens));
        assert!(error > 20.0 * F32_BOUND, "{name} without its {what}: {error:e}");
    }
    // Sinks stand in no field of the file: the reference has them by family, the engine by flag.
    let gpt = model("gpt-oss");
    let tokens = prompt(&gpt, 40, 1);
    let without = Config { sinks: false, ..gpt.clone() };
    let error = distance(wide(&engine(&without, &exact(), &tokens)), &forward(&gpt, &exact(), &tokens));
    assert!(error > 20.0 * F32_BOUND, "sinks: {error:e}");
}
