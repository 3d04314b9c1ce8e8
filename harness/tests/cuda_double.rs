//! The engine on a GPU that is none: the program drives the doubles of driver and compiler through the path that a GPU takes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place, library};
use serde_json::Value;

/// The program in `place` with a GPU of that profile and those faults.
fn on_gpu(place: &Place, profile: &str, faults: &str, line: &[&str]) -> Done {
    gpu_command(place, profile, faults, line).output().unwrap().into()
}

fn gpu_command(place: &Place, profile: &str, faults: &str, line: &[&str]) -> std::process::Command {
    let mut command = place.command(line);
    command
        .env("SPARK_BENCH_CUDA", library("cuda"))
        .env("SPARK_BENCH_NVRTC", library("nvrtc"))
        .env("SPARK_CUDA_DOUBLE_PROFILE", profile)
        .env("SPARK_CUDA_DOUBLE_FAULTS", faults)
        // What one test compiled another need not: keyed by all that goes in.
        .env("SPARK_BENCH_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cuda-double"));
    command
}

fn records(place: &Place) -> Vec<Value> {
    let done = place.fine(&["export", "d", "--format", "json"]);
    let document: Value = serde_json::from_str(&done.out).unwrap();
    document["records"].as_array().unwrap().clone()
}

const DECODE: &[&str] = &[
    "run", "decode", "--n_gen", "3", "--depth", "5", "--suite", "smoke", "--device", "cuda:0", "--out", "d", "--quiet",
];

#[test]
fn a_double_decodes_and_is_marked_as_one() {
    for (profile, model) in [("gb10", "tiny"), ("h200", "tiny-moe")] {
        let place = Place::new();
        let line: Vec<&str> = DECODE.iter().copied().chain(["--model", model]).collect();
        let done = on_gpu(&place, profile, "", &line);
        assert_eq!(done.code, Some(0), "{done:?}");
        for record in records(&place) {
            assert_eq!(record["status"], "measured", "{record}");
            assert_eq!(record["simulated"], true, "{record}");
            assert!(record["max_error"].as_f64().unwrap() <= record["tolerance"].as_f64().unwrap(), "{record}");
        }
    }
}

#[test]
fn no_rate_of_a_double_reaches_a_reader() {
    let place = Place::new();
    let line = ["llm", "-m", "tiny", "--device", "cuda:0", "-p", "4", "-n", "2", "-r", "1", "--out", "d"];
    let done = on_gpu(&place, "gb10", "", &line);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.err.contains("tok/s"), "{done:?}");
    assert_eq!(done.out.matches("simulated: a test double has no speed").count(), 2, "{done:?}");
    assert_eq!(done.err.matches("simulated: a test double has no speed").count(), 2, "{done:?}");
}

#[test]
fn a_prompt_of_two_sequences_is_read_in_passes() {
    let place = Place::new();
    let line = [
        "run",
        "prefill",
        "--n_prompt",
        "9",
        "--batch",
        "2",
        "--suite",
        "smoke",
        "--device",
        "cuda:0",
        "--out",
        "d",
        "--quiet",
    ];
    let done = on_gpu(&place, "gb10", "", &line);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(records(&place).iter().all(|record| record["status"] == "measured" && record["simulated"] == true));
}

#[test]
fn a_gpu_is_listed_or_its_absence_has_a_reason() {
    let place = Place::new();
    let devices = |done: Done| -> Vec<Value> {
        let all: Value = serde_json::from_str(&done.out).unwrap();
        all["devices"].as_array().unwrap().clone()
    };
    let found = devices(on_gpu(&place, "gb10", "", &["list", "devices", "--json"]));
    let gpu = found.iter().find(|device| device["name"] == "cuda:0").unwrap();
    assert_eq!((&gpu["simulated"], &gpu["unavailable"]), (&Value::Bool(true), &Value::Null), "{gpu}");
    let none = devices(place.fine(&["list", "devices", "--json"]));
    assert!(none.iter().all(|device| device["name"] == "cpu" || device["unavailable"].is_string()), "{none:?}");
    let done = on_gpu(&place, "gb10", "", &["run", "gemm", "--device", "cuda:7"]);
    assert!(done.code == Some(2) && done.err.contains("counted from 0"), "{done:?}");
}

#[test]
fn an_error_that_takes_the_gpu_away_costs_its_task_and_no_other_is_left() {
    let place = Place::new();
    let line =
        ["run", "rmsnorm", "softcap", "swiglu", "--suite", "smoke", "--device", "cuda:0", "--out", "d", "--quiet"];
    // The second launch of every process: each task meets it in a process of its own.
    let done = on_gpu(&place, "gb10", "illegal-address@2", &line);
    assert_eq!(done.code, Some(1), "{done:?}");
    let records = records(&place);
    assert_eq!(records.len(), 3, "each task has its record: {records:?}");
    for record in records {
        assert!(
            record["status"] == "failed" && record["reason"].as_str().unwrap().contains("ILLEGAL_ADDRESS"),
            "{record}"
        );
    }
}

/// What the program says of the GPU where it cannot be had, asked for it alone; on all devices the CPU is measured, and the run goes on.
fn cannot_be_had(faults: &str, why: &str) {
    let place = Place::new();
    let alone = on_gpu(&place, "gb10", faults, &["run", "rmsnorm", "--device", "cuda:0", "--out", "never"]);
    assert!(alone.code == Some(2) && alone.err.contains(why), "{faults}: {alone:?}");
    let line = ["run", "rmsnorm", "--suite", "smoke", "--no-roofs", "--out", "d", "--quiet"];
    let done = on_gpu(&place, "gb10", faults, &line);
    assert_eq!(done.code, Some(0), "{faults}: {done:?}");
    let records = records(&place);
    assert!(records.iter().all(|r| r["device"] == "cpu" && r["status"] == "measured"), "{faults}: {records:?}");
}

#[test]
fn a_gpu_that_cannot_be_had_is_a_reason_and_the_cpu_is_measured() {
    cannot_be_had("no-device", "NO_DEVICE");
    cannot_be_had("init", "does not start");
    cannot_be_had("busy", "DEVICE_UNAVAILABLE");
    cannot_be_had("exclusive", "end the one that holds it");
    cannot_be_had("prohibited", "compute mode is prohibited");
}

/// Runs `rmsnorm` and `softcap` on both devices; returns each record's device, status and reason.
fn on_both(profile: &str, faults: &str, more: &[(&str, &str)]) -> (Done, Vec<[String; 3]>) {
    let place = Place::new();
    let line = ["run", "rmsnorm", "softcap", "--suite", "smoke", "--no-roofs", "--out", "d", "--quiet"];
    let mut command = gpu_command(&place, profile, faults, &line);
    command.envs(more.iter().copied());
    let done = command.output().unwrap().into();
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let told = records(&place).iter().map(|r| ["device", "status", "reason"].map(|key| text(r, key))).collect();
    (done, told)
}

/// Demands that the CPU's two records are measured and the GPU's two have `status` for a reason that holds `why`.
fn goes_on((done, told): (Done, Vec<[String; 3]>), code: i32, status: &str, why: &str) {
    assert_eq!((done.code, told.len()), (Some(code), 4), "{done:?} {told:?}");
    for [device, had, reason] in told {
        let right = if device == "cpu" { had == "measured" } else { had == status && reason.contains(why) };
        assert!(right, "{device}: {had}, {reason}");
    }
}

#[test]
fn what_breaks_on_the_way_is_a_reason_in_each_record_and_the_run_goes_on() {
    goes_on(on_both("gb10", "old-driver", &[]), 1, "failed", "UNSUPPORTED_PTX_VERSION");
    let no_compiler = [("SPARK_BENCH_NVRTC", "/nowhere/libnvrtc.so.13")];
    goes_on(on_both("gb10", "", &no_compiler), 0, "skipped", "nvidia-cuda-nvrtc");
    goes_on(on_both("discrete", "memory@4096", &[]), 0, "skipped", "may be used");
    goes_on(on_both("gb10", "lost@2", &[]), 1, "failed", "CUDA_ERROR");
    // A slice of a GPU is one like others.
    goes_on(on_both("mig", "", &[]), 0, "measured", "");
}

/// The logits of `model` on a CPU and on the GPU, each with `more` arguments; returns the largest difference relative to their root mean square.
fn apart(place: &Place, model: &str, more: &[&str]) -> f64 {
    let line = |device| [&["logits", "-m", model, "--device", device, "--activations", "f32"], more].concat();
    let logits = |done: Done| -> Vec<f64> {
        assert_eq!(done.code, Some(0), "{model}: {done:?}");
        done.out.lines().map(|line| line.split_once('\t').unwrap().1.parse().unwrap()).collect()
    };
    let cpu = logits(place.run(&line("cpu")));
    let gpu = logits(on_gpu(place, "gb10", "", &line("cuda:0")));
    assert_eq!(cpu.len(), gpu.len());
    let rms = (cpu.iter().map(|x| x * x).sum::<f64>() / cpu.len() as f64).sqrt();
    cpu.iter().zip(&gpu).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / rms
}

#[test]
fn logits_of_a_gpu_are_those_of_the_cpu_within_what_its_formats_allow() {
    let place = Place::new();
    for kv in ["bf16", "fp8"] {
        let apart = apart(&place, "tiny", &["--kv", kv, "--tokens", "1,2,3,5,8,13,21,34,55,89"]);
        // Keys and values that fall to the other side of a half, as in the engine's own test.
        assert!(apart > 0.0 && apart < 0.05, "{kv}: {apart}");
    }
}

/// Files whose matrices are in several formats, of which one has its parts side by side; experts; a tied head; safetensors.
#[test]
fn a_gpu_says_what_a_cpu_says_of_a_model_in_a_file() {
    let place = Place::new();
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/tests/models");
    for model in ["k-quants.gguf", "llama.gguf", "gpt-oss.gguf", "gemma3.gguf", "nvfp4-ct-hf", "llama-hf"] {
        let apart = apart(&place, &format!("{models}/{model}"), &["--kv", "f32", "--tokens", "1,2,3,5,8,13,21,30"]);
        // Sums in another order.
        assert!(apart > 0.0 && apart < 1e-3, "{model}: {apart}");
    }
    // What a GPU cannot do is a reason, and no answer.
    let line = ["logits", "-m", &format!("{models}/nvfp4-moe.gguf"), "--tokens", "1", "--device", "cuda:0"];
    let done = on_gpu(&place, "gb10", "", &line);
    assert!(done.code == Some(2) && done.err.contains("--device cpu"), "{done:?}");
}

#[test]
fn launches_are_timed_by_way_and_declined_on_a_cpu() {
    let place = Place::new();
    let line = ["run", "launch", "--launches", "5", "--suite", "smoke", "--out", "d", "--quiet"];
    let done = on_gpu(&place, "gb10", "", &line);
    assert_eq!(done.code, Some(0), "{done:?}");
    let (on_cpu, on_gpu): (Vec<_>, Vec<_>) = records(&place).into_iter().partition(|r| r["device"] == "cpu");
    assert!(
        on_gpu.len() == 3 && on_gpu.iter().all(|r| r["status"] == "measured" && r["work"]["items"] == 5),
        "{on_gpu:?}"
    );
    let declined = |r: &Value| r["status"] == "skipped" && r["reason"].as_str().unwrap().contains("gpu");
    assert!(!on_cpu.is_empty() && on_cpu.iter().all(declined), "{on_cpu:?}");
}

#[test]
fn the_clock_inside_a_timed_window_stands_in_the_record() {
    let place = Place::new();
    let line = ["run", "peak", "--type", "bf16", "--suite", "smoke", "--device", "cuda:0", "--out", "d", "--quiet"];
    let done = on_gpu(&place, "gb10", "", &line);
    assert_eq!(done.code, Some(0), "{done:?}");
    for record in records(&place) {
        let clocks = record["conditions"]["core_clocks"].as_array().unwrap();
        // The double's SM ticks twice a nanosecond, and there are 48 of them.
        let near = |hz: &Value| (1.9e9..2.1e9).contains(&hz.as_f64().unwrap());
        let whole = |c: &Value| c["hz"].as_array().is_some_and(|hz| hz.len() == 48 && hz.iter().all(near));
        assert!(!clocks.is_empty() && clocks.iter().all(whole), "{record}");
    }
}

/// The last table of `ci/gpu.sh`, of rows made up so that one share is reached and one missed, and the others are not there.
#[test]
fn the_table_of_shares_says_what_is_reached_missed_and_not_there() {
    let place = Place::new();
    let head = "id,workload,device,implementation,status,reason,simulated,median_ns,ci95_low_ns,ci95_high_ns,samples,flops_per_s,\
                bytes_per_s,items_per_s,item,roof_bound,roof_of,roof_fraction,energy_status,energy_scope,energy_joules,items_per_joule,\
                max_error,tolerance\n";
    let row = |id: &str, implementation: &str, flops: &str, bytes: &str| {
        let workload = id.split('?').next().unwrap();
        format!("{id},{workload},cuda:0,{implementation},measured,,false,1,1,1,9,{flops},{bytes},1,,,,,,,,,,\n")
    };
    let rows = [
        row("read?bytes=4294967296", "fastest", "", "4e12"),
        row("copy?bytes=4294967296", "fastest", "", "4.1e12"),
        row("gemm?activations=bf16&format=bf16&k=8192&m=8192&n=8192", "cublaslt", "8e14", "1e12"),
        row("gemm?activations=bf16&format=bf16&k=8192&m=8192&n=8192", "wgmma", "6e14", "1e12"),
        "gemm/cuda:0/x?m=1,gemm,cuda:0,x,skipped,\"a, b\",false,,,,,,,,,,,,,,,,,\n".to_owned(),
    ];
    std::fs::write(place.at("made.csv"), format!("{head}{}", rows.concat())).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/gpu.sh");
    let done = std::process::Command::new("bash").args([script, "--table"]).arg(place.at("made.csv")).output().unwrap();
    let table = String::from_utf8(done.stdout).unwrap();
    let line = |of: &str| table.lines().find(|line| line.starts_with(of)).unwrap_or_else(|| panic!("{of}: {table}"));
    assert!(line("device read").contains("0.976") && line("device read").ends_with("reached"), "{table}");
    assert!(line("bf16 gemm").contains("0.750") && line("bf16 gemm").ends_with("missed"), "{table}");
    for absent in ["FP4-weight", "FP4 GEMV", "attention, decode", "attention, prefill", "llama-3.1-8b", "a launch"] {
        assert!(line(absent).ends_with("not there"), "{table}");
    }
}
