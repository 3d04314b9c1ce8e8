//! A checker passes the right model, and no other.

use super::*;
use crate::llm::choose::BEST;
use crate::llm::weights::Synthetic;
use crate::llm::{Model, Preset};
use spark_kernels::attention::KvType;
use spark_kernels::cpu::Cpu;
use spark_kernels::moe::Routing;

fn settings() -> Settings {
    Settings {
        format: Format::Mxfp4,
        head: Format::Q8_0,
        activations: Settings::usual_activations(Format::Mxfp4),
        kv: KvType::F32,
        rows: 8,
        capacity: 64,
        sequences: 1,
        verified: 0,
        seed: 1,
        routing: Routing::Router,
        implementation: BEST.into(),
    }
}

/// The share of its bound that the worst op takes, if a checker of another config or seed watches the model.
fn share(change: impl Fn(&mut Config), seed: u64) -> (String, f64) {
    share_of(Preset::find("tiny").unwrap().config().unwrap(), change, seed)
}

fn share_of(config: Config, change: impl Fn(&mut Config), seed: u64) -> (String, f64) {
    let device: Arc<dyn Device> = Arc::new(Cpu::new(Some(1), 0));
    let mut model = Model::load(&config, &settings(), &device).unwrap();
    let (mut believed, settings) = (config, settings());
    change(&mut believed);
    let weights = Weights::Synthetic(Box::new(Synthetic::new(&believed, settings.format, settings.head, seed)));
    let mut checker = Checker::new(&believed, &settings, weights, &device);
    model.prefill_watched(&[&[5, 6, 7, 8, 9, 10, 11, 12, 13, 14]], &mut checker).unwrap();
    let (stage, worst) = checker.findings.worst.unwrap();
    (stage, worst.max_error / worst.tolerance)
}

#[test]
fn the_right_model_passes_and_a_wrong_one_does_not() {
    let (stage, right) = share(|_| (), 1);
    assert!(right <= 1.0, "{stage}: {right}");
    for (what, (stage, wrong)) in [
        ("weights", share(|_| (), 2)),
        ("theta", share(|c| c.theta = 11_000.0, 1)),
        ("eps", share(|c| c.eps = 1e-2, 1)),
        ("depth", share(|c| c.layers = 3, 1)),
    ] {
        assert!(wrong > 1.0, "{what} {stage}: {wrong}");
    }
}

#[test]
fn bent_logits_and_shared_experts_are_checked_too() {
    let small = |more: &str| {
        let base = r#""hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":160,
            "head_dim":32,"max_position_embeddings":512"#;
        Config::parse(&format!("{{{base},{more}}}")).unwrap()
    };
    let gemma = || small(r#""model_type":"gemma2","intermediate_size":192,"final_logit_softcapping":3.0"#);
    let (stage, right) = share_of(gemma(), |_| (), 1);
    assert!(right <= 1.0, "{stage}: {right}");
    let (stage, wrong) = share_of(gemma(), |c| c.logit_softcap = Some(3.001), 1);
    assert!(wrong > 1.0 && stage.contains("Softcap"), "{stage}: {wrong}");
    let qwen = r#""model_type":"qwen2_moe","moe_intermediate_size":32,"num_experts":8,"num_experts_per_tok":2,
        "shared_expert_intermediate_size":64"#;
    let (stage, right) = share_of(small(qwen), |_| (), 1);
    assert!(right <= 1.0, "{stage}: {right}");
    let (stage, wrong) = share_of(small(qwen), |c| c.mixture.as_mut().unwrap().normalised = true, 1);
    assert!(wrong > 1.0 && stage.contains("Route"), "{stage}: {wrong}");
}
