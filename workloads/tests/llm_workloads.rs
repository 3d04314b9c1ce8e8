//! `prefill` and `decode` as the harness meets them: listing, declining, preparing, checking, running.
#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stdout, reason = "what was compared, for --nocapture")]

use spark_kernels::Device;
use spark_kernels::attention::KvType;
use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_results::record::Cache;
use spark_workloads::axis::list;
use spark_workloads::llm::{DECODE, PREFILL, Preset, Storage};
use spark_workloads::{Decline, Request, Step, Workload};
use std::sync::Arc;

const PLENTY: u64 = 8 << 30;

fn cpu(threads: usize) -> Arc<dyn Device> {
    Arc::new(Cpu::new(Some(threads), 0))
}

fn request(axes: &[(&str, &str)]) -> Request {
    let axes = axes.iter().map(|(axis, values)| ((*axis).to_owned(), list(axis, values).unwrap())).collect();
    Request { axes, implementation: String::new() }
}

fn step(workload: &dyn Workload, axes: &[(&str, &str)], how: &str, device: &Arc<dyn Device>) -> Box<dyn Step> {
    let request = Request { implementation: how.into(), ..request(axes) };
    let ids = workload.cases(&request, &**device).unwrap();
    assert_eq!(ids.len(), 1);
    workload.prepare(&ids[0], device, 3, PLENTY).unwrap().step().unwrap()
}

#[test]
fn ids_hold_what_was_asked_for_and_leave_out_what_is_usual() {
    let device = cpu(1);
    let asked = [("model", "tiny"), ("format", "mxfp4,q8_0"), ("n_gen", "16"), ("depth", "0,64")];
    let ids = DECODE.cases(&Request { implementation: "scalar".into(), ..request(&asked) }, &*device).unwrap();
    let shown: Vec<_> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "decode/cpu/scalar?depth=0&format=mxfp4&model=tiny&n_gen=16",
            "decode/cpu/scalar?depth=0&format=q8_0&model=tiny&n_gen=16",
            "decode/cpu/scalar?depth=64&format=mxfp4&model=tiny&n_gen=16",
            "decode/cpu/scalar?depth=64&format=q8_0&model=tiny&n_gen=16",
        ]
    );
    let all = [("batch", "2"), ("head", "bf16"), ("kv", "f32"), ("activations", "f32"), ("threads", "1")];
    let ids = PREFILL.cases(&Request { implementation: "scalar".into(), ..request(&all) }, &*device).unwrap();
    assert_eq!(
        ids[0].to_string(),
        "prefill/cpu/scalar?activations=f32&batch=2&depth=0&format=mxfp4&head=bf16&kv=f32&model=tiny&n_prompt=512&threads=1"
    );
    let moe =
        [("model", "tiny-moe"), ("batch", "2"), ("depth", "9"), ("depths", "same,ragged"), ("routing", "router,zipf")];
    let ids = DECODE.cases(&Request { implementation: "scalar".into(), ..request(&moe) }, &*device).unwrap();
    let shown: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let plain = "decode/cpu/scalar?batch=2&depth=9&format=mxfp4&model=tiny-moe&n_gen=128";
    assert_eq!(shown[0], plain);
    let ragged = "decode/cpu/scalar?batch=2&depth=9&depths=ragged&format=mxfp4&model=tiny-moe&n_gen=128&routing=zipf";
    assert!(shown.len() == 4 && shown.iter().any(|id| id == ragged), "{shown:?}");
    let best = DECODE.cases(&Request::default(), &*device).unwrap();
    assert_ne!(best[0].implementation, "best", "an id names what runs");
    assert!(DECODE.implementations(&*device).iter().any(|(name, why)| name == "scalar" && why.is_none()));
}

#[test]
fn what_cannot_be_is_refused_with_the_mend() {
    let device = cpu(1);
    for (axis, value, word) in [
        ("model", "gpt-5", "llama-3.1-8b"),
        ("model", "no/such/config.json", "give a config.json"),
        ("format", "q9", "mxfp4"),
        ("activations", "nvfp4", "nvfp4"),
        ("head", "x", "q8_0"),
        ("kv", "f16", "bf16"),
        ("activations", "int7", "int8"),
        ("batch", "0", "at least 1"),
        ("routing", "random", "uniform or zipf"),
        ("routing", "zipf", "no experts"),
        ("depths", "many", "ragged"),
        ("depths", "ragged", "a batch of at least 2"),
        ("batch", "100000", "4096"),
        ("n_gen", "0", "at least 1"),
        ("n_gen", "x", "whole number"),
        ("depth", "4000", "context"),
        ("depth", "99999999999", "at most"),
    ] {
        let error = DECODE.cases(&request(&[(axis, value)]), &*device).unwrap_err().to_string();
        assert!(error.contains(word), "{axis}={value}: {error}");
    }
    let glob = Request { implementation: "sse*".into(), ..Request::default() };
    assert!(DECODE.cases(&glob, &*device).unwrap_err().to_string().contains("scalar"));
    let ids = DECODE.cases(&request(&[("threads", "7")]), &*device).unwrap();
    let declined = DECODE.prepare(&ids[0], &device, 1, PLENTY).unwrap_err();
    assert!(matches!(&declined, Decline::Skip(why) if why.contains("--threads")), "{declined}");
}

#[test]
fn a_config_of_ones_own_is_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let json = r#"{"model_type":"qwen3","hidden_size":64,"intermediate_size":64,"num_hidden_layers":1,"head_dim":32,
        "num_attention_heads":2,"num_key_value_heads":1,"vocab_size":64,"max_position_embeddings":128}"#;
    std::fs::write(folder.path().join("config.json"), json).unwrap();
    let path = folder.path().display().to_string();
    let mut decode = step(&DECODE, &[("model", &path), ("n_gen", "4")], "scalar", &cpu(1));
    assert!(decode.check().unwrap().unwrap().compared > 100);
    std::fs::write(folder.path().join("config.json"), r#"{"model_type":"qwen3","hidden_size":-1}"#).unwrap();
    let error = DECODE.cases(&request(&[("model", &path)]), &*cpu(1)).unwrap_err().to_string();
    assert!(error.contains("hidden_size") || error.contains("num_attention_heads"), "{error}");
}

#[test]
fn what_does_not_fit_is_declined_before_anything_is_allocated() {
    let device = cpu(1);
    let ids = DECODE.cases(&request(&[("model", "llama-3.3-70b")]), &*device).unwrap();
    let footprint = DECODE.footprint(&ids[0], &*device).unwrap();
    // 68.45 G parameters in blocks of 32 at 17 bytes are 36.4 GB, the tables of 1.05 G at 34 bytes 1.1 GB each; a step reads
    // one of them whole. Beside them stands the largest tensor, also 1.1 GB.
    assert!((37_480_000_000..37_600_000_000).contains(&footprint.traffic), "{footprint:?}");
    assert!((39_700_000_000..40_500_000_000).contains(&footprint.bytes), "{footprint:?}");
    let declined = DECODE.prepare(&ids[0], &device, 1, 16 << 30).unwrap_err();
    assert!(matches!(&declined, Decline::Skip(why) if why.contains("smaller model")), "{declined}");
}

#[test]
fn decode_checks_runs_and_counts() {
    let device = cpu(2);
    for (how, extra) in
        [("scalar", ("kv", "f32")), ("best", ("kv", "bf16")), ("best", ("batch", "3")), ("best", ("threads", "1"))]
    {
        let mut decode = step(&DECODE, &[("n_gen", "6"), ("depth", "40"), extra], how, &device);
        let check = decode.check().unwrap().unwrap();
        assert!(check.max_error <= check.tolerance && check.compared > 1000, "{how} {extra:?}: {check:?}");
        assert_eq!(decode.iterations_a_sample(), Some(6));
        for _ in 0..3 {
            decode.reset().unwrap();
            for _ in 0..6 {
                decode.run().unwrap();
            }
            assert!(decode.run().is_err(), "a seventh token has no room");
        }
        let (work, facts) = (decode.work(), decode.facts());
        assert_eq!((work.items, work.item.as_str()), (if extra.0 == "batch" { 3 } else { 1 }, "token"));
        assert!(facts["kv"].contains("seeded") && facts["weights"] == "synthetic, seed 3", "{facts:?}");
        assert_eq!(facts["weights_hash"].len(), 64);
        assert!(facts["check"].contains("layer"), "{}", facts["check"]);
        assert_eq!(decode.cache(), Cache::Warm, "five million parameters stay in a cache of 64 MiB");
        println!("{how} {extra:?}: {check:?}; {}", facts["check"]);
    }
}

#[test]
fn decode_bytes_are_the_mean_over_its_positions() {
    let config = spark_workloads::llm::Preset::find("tiny").unwrap().config().unwrap();
    let decode = step(&DECODE, &[("n_gen", "5"), ("depth", "100")], "scalar", &cpu(1));
    let storage = spark_workloads::llm::Storage {
        format: spark_kernels::format::Format::Mxfp4,
        head: spark_kernels::format::Format::Q8_0,
        kv: spark_kernels::attention::KvType::Bf16,
    };
    let each = (100..105).map(|depth| config.bytes_per_token(depth, storage));
    assert_eq!(decode.work().bytes, each.sum::<u64>() / 5);
    assert_eq!(decode.work().flops, (100..105).map(|depth| config.decode_flops(depth)).sum::<u64>() / 5);
}

#[test]
fn prefill_checks_runs_and_counts() {
    let device = cpu(2);
    for (how, n, batch) in [("scalar", "20", "1"), ("best", "600", "1"), ("best", "70", "4"), ("best", "1", "1")] {
        let mut prefill = step(&PREFILL, &[("n_prompt", n), ("batch", batch), ("depth", "10")], how, &device);
        let check = prefill.check().unwrap().unwrap();
        assert!(check.max_error <= check.tolerance && check.compared > 1000, "{how} {n}×{batch}: {check:?}");
        prefill.run().unwrap();
        prefill.reset().unwrap();
        prefill.run().unwrap();
        let (n, batch): (u64, u64) = (n.parse().unwrap(), batch.parse().unwrap());
        assert_eq!(prefill.work().items, n * batch);
        assert_eq!(prefill.iterations_a_sample(), Some(1));
        println!("{how} {n}×{batch}: {check:?}; {}", prefill.facts()["check"]);
    }
}

#[test]
fn a_prompt_and_an_answer_in_one_sample() {
    let (device, asked) = (cpu(1), [("n_prompt", "40"), ("n_gen", "8")]);
    let ids = DECODE.cases(&request(&asked), &*device).unwrap();
    assert!(ids[0].to_string().ends_with("model=tiny&n_gen=8&n_prompt=40"), "{}", ids[0]);
    let mut both = step(&DECODE, &asked, "scalar", &device);
    let check = both.check().unwrap().unwrap();
    assert!(check.max_error <= check.tolerance, "{check:?}");
    for _ in 0..2 {
        both.reset().unwrap();
        both.run().unwrap();
    }
    assert_eq!((both.work().items, both.iterations_a_sample()), (48, Some(1)));
    let nothing = request(&[("n_prompt", "40"), ("n_gen", "0")]);
    assert!(DECODE.cases(&nothing, &*device).unwrap_err().to_string().contains("n_gen"));
    let alone = step(&PREFILL, &[("n_prompt", "40")], "scalar", &device).work();
    assert!(both.work().flops > alone.flops && both.work().bytes > alone.bytes);
}

/// What a decode of `tiny-moe` from depth 0 reads beside its experts.
fn without_experts(n_gen: usize, batch: usize) -> u64 {
    let config = Preset::find("tiny-moe").unwrap().config().unwrap();
    let storage = Storage { format: Format::Mxfp4, head: Format::Q8_0, kv: KvType::Bf16 };
    let each = (0..n_gen).map(|depth| config.bytes_of_step(&vec![depth; batch], 0, storage));
    each.sum::<u64>() / n_gen as u64
}

#[test]
fn experts_are_checked_run_and_counted_as_they_are_touched() {
    let device = cpu(2);
    let config = Preset::find("tiny-moe").unwrap().config().unwrap();
    let expert = config.block_bytes(Format::Mxfp4);
    for how in ["scalar", "best"] {
        // One token goes through two experts a layer, whichever they are.
        let mut decode = step(&DECODE, &[("model", "tiny-moe"), ("n_gen", "4")], how, &device);
        assert_eq!(decode.work().bytes, without_experts(4, 1) + 4 * 2 * expert);
        let check = decode.check().unwrap().unwrap();
        assert!(check.max_error <= check.tolerance && check.compared > 1000, "{how}: {check:?}");
        (0..4).for_each(|_| decode.run().unwrap());
        assert_eq!(decode.work().bytes, without_experts(4, 1) + 4 * 2 * expert, "{how}");
        assert!(decode.facts()["experts"].contains("2 of 16 a token"), "{:?}", decode.facts());
        // Eight tokens touch 2 to 16 experts a layer; skewed routing fewer than level routing.
        let mut touched = Vec::new();
        for routing in ["router", "uniform", "zipf"] {
            let axes = [("model", "tiny-moe"), ("n_gen", "8"), ("batch", "8"), ("routing", routing)];
            let mut decode = step(&DECODE, &axes, how, &device);
            let check = decode.check().unwrap().unwrap();
            assert!(check.max_error <= check.tolerance, "{how} {routing}: {check:?}");
            (0..8).for_each(|_| decode.run().unwrap());
            let (work, facts) = (decode.work(), decode.facts());
            let a_layer: f64 = facts["experts_touched"].split(' ').next().unwrap().parse().unwrap();
            assert!((2.0..=16.0).contains(&a_layer), "{facts:?}");
            let read = (work.bytes - without_experts(8, 8)) as f64 / expert as f64;
            assert!((read / 4.0 - a_layer).abs() < 0.3, "{how} {routing}: {read} experts, {a_layer} a layer");
            touched.push(a_layer);
        }
        assert!(touched[2] < touched[1], "zipf touches fewer: {touched:?}");
        println!("{how}: {touched:?} experts a layer by router, uniform, zipf");
        let axes = [("model", "tiny-moe"), ("n_prompt", "300"), ("routing", "zipf")];
        let mut prefill = step(&PREFILL, &axes, how, &device);
        let check = prefill.check().unwrap().unwrap();
        assert!(check.max_error <= check.tolerance, "{how} prefill: {check:?}");
        prefill.run().unwrap();
        assert!(prefill.facts()["experts_touched"].contains("of 16"), "{:?}", prefill.facts());
    }
}

#[test]
fn sequences_may_have_depths_of_their_own() {
    let device = cpu(2);
    for model in ["tiny", "tiny-moe"] {
        let of = |depths| {
            let axes = [("model", model), ("n_gen", "3"), ("depth", "300"), ("batch", "5"), ("depths", depths)];
            step(&DECODE, &axes, "best", &device)
        };
        let (mut same, mut ragged) = (of("same"), of("ragged"));
        for decode in [&mut same, &mut ragged] {
            let check = decode.check().unwrap().unwrap();
            assert!(check.max_error <= check.tolerance, "{model}: {check:?}");
            for _ in 0..2 {
                decode.reset().unwrap();
                (0..3).for_each(|_| decode.run().unwrap());
                assert!(decode.run().is_err(), "the longest sequence is full");
            }
        }
        assert!(ragged.facts()["kv"].contains("300]"), "the last one has all: {}", ragged.facts()["kv"]);
        assert!(ragged.work().flops < same.work().flops && ragged.work().bytes < same.work().bytes);
        assert_eq!(ragged.work().items, 5);
    }
}

#[test]
fn the_parts_of_a_pass_are_all_its_ops_and_together_its_work() {
    let device = cpu(2);
    let (decode, prefill): (&dyn Workload, &dyn Workload) = (&DECODE, &PREFILL);
    for (of, axes) in [
        (decode, &[("n_gen", "1"), ("depth", "40")][..]),
        (decode, &[("n_gen", "1"), ("depth", "7"), ("batch", "3"), ("model", "tiny-moe")]),
        (prefill, &[("n_prompt", "24"), ("depth", "0")]),
        (prefill, &[("n_prompt", "600"), ("depth", "9")]),
    ] {
        let mut step = step(of, axes, "best", &device);
        let parts = step.parts(2).unwrap();
        let named =
            |name: &str| parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("{name}: {parts:?}"));
        let products = parts.iter().filter(|part| part.name.starts_with("gemm ") || part.name == "attention");
        let (products, work) = (products.map(|part| part.work.flops).sum::<u64>(), step.work().flops);
        // What experts say is weighted and added, which the count of the whole leaves out.
        let weighted = if parts.iter().any(|part| part.name == "route") { work / 500 } else { 0 };
        assert!((work..=work + weighted).contains(&products), "{axes:?}: {products} of {work}");
        let read: u64 = parts.iter().filter(|part| part.streams).map(|part| part.work.bytes).sum();
        assert!(read >= step.work().bytes / 2, "{axes:?}: {read} of {}", step.work().bytes);
        // A generated token is one pass, however often it was asked for: there is no room for a second.
        let passes = if of.name() == "decode" { 1 } else { 2 };
        assert!(parts.iter().all(|part| part.samples_ns.len() == passes && part.samples_ns.iter().all(|ns| *ns > 0)));
        assert!(named("attention").arithmetic.is_some() && named("gemm head").streams && !named("rmsnorm").streams);
        assert_eq!(parts.iter().any(|part| part.name == "route"), of.name() == "decode" && axes.len() == 4);
        assert_eq!(parts.iter().any(|part| part.name == "sample"), of.name() == "decode");
    }
    let with_prompt = &[("n_gen", "2"), ("n_prompt", "4")];
    assert!(step(decode, with_prompt, "best", &device).parts(1).unwrap().is_empty(), "a prompt is prefill's to tell");
}
