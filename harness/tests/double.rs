//! The program against a double of NVML whose joules are known: right to its ±, marked as simulated, and never at a loss.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place};
use serde_json::Value;
use spark_bench::pace::PACE;
use spark_nvml_double::curve;
use std::path::PathBuf;

/// The library: cargo builds it beside the tests that depend on it.
fn library() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let name = format!("{}spark_nvml_double{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = tests.parent().unwrap().join(name);
    assert!(path.exists(), "{} is not there: cargo did not build the double", path.display());
    path
}

/// So many times the program and the double are hurried, where nothing is shown by the time that it takes. Both change alike: as many
/// ticks and readings lie in a window as ever.
const HURRIED: &str = "2";

/// A run of the program and what it left.
struct Ran {
    place: Place,
    done: Done,
}

/// A tiny model, prepared in no time; a window of energy is asked for it. One processor is the sampler's, where there are two.
const TINY: &[&str] = &[
    "run",
    "decode",
    "--model",
    "tiny",
    "--format",
    "mxfp4",
    "--n_gen",
    "8",
    "--suite",
    "smoke",
    "--no-roofs",
    "--threads",
    "1",
];
/// A task that asks for no window of energy.
const SHORT: &[&str] = &["run", "rmsnorm", "--width", "64", "--suite", "smoke", "--no-roofs", "--threads", "1"];

/// Hurried.
fn ran(profile: &str, faults: &str, line: &[&str]) -> Ran {
    ran_at(HURRIED, profile, faults, line)
}

fn ran_at(pace: &str, profile: &str, faults: &str, line: &[&str]) -> Ran {
    let place = Place::new();
    let line: Vec<&str> = line.iter().copied().chain(["--out", "d", "--quiet", "--device", "cpu"]).collect();
    let mut command = place.command(&line);
    command
        .env(PACE, pace)
        .env("SPARK_NVML_DOUBLE_SPEED", pace)
        .env("SPARK_BENCH_NVML", library())
        .env("SPARK_NVML_DOUBLE_PROFILE", profile)
        .env("SPARK_NVML_DOUBLE_FAULTS", faults)
        .env("SPARK_NVML_DOUBLE_LOG", place.at("log"));
    let done: Done = command.output().unwrap().into();
    assert_eq!(done.code, Some(0), "{profile} {faults}: {done:?}");
    Ran { place, done }
}

impl Ran {
    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.at(name)).unwrap()
    }
    fn lines(&self, name: &str) -> Vec<Value> {
        self.text(name).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }
    fn document(&self) -> Value {
        serde_json::from_str(&self.place.fine(&["export", "d", "--format", "json"]).out).unwrap()
    }
    /// The energies of all records that have one.
    fn energies(&self) -> Vec<Value> {
        let document = self.document();
        let records = document["records"].as_array().unwrap();
        records.iter().filter(|r| r["status"] == "measured").map(|r| r["energy"].clone()).collect()
    }
    /// What is absent, in one text.
    fn absent(&self) -> String {
        self.document()["manifest"]["absent"].to_string()
    }
    fn facts(&self) -> String {
        self.lines("d/telemetry.jsonl")[0]["facts"].to_string()
    }
    /// The readings of a quantity: seconds since the run's start, and the number.
    fn readings(&self, quantity: &str, scope: &str) -> Vec<(f64, f64)> {
        let mut found = Vec::new();
        for line in self.lines("d/telemetry.jsonl") {
            for r in line["readings"].as_array().into_iter().flatten() {
                if r["quantity"] == quantity && r["scope"] == scope {
                    found.push((line["t_ns"].as_f64().unwrap() * 1e-9, r["value"].as_f64().unwrap()));
                }
            }
        }
        found
    }
    /// The median distance of two readings of the counter in the window of `energy`, in seconds.
    fn reading_gap(&self, energy: &Value) -> f64 {
        let at = |i: usize| energy["window_ns"][i].as_f64().unwrap() * 1e-9;
        let read = self.readings("energy", "gpu 0");
        let inside: Vec<f64> = read.iter().map(|r| r.0).filter(|t| (at(0)..=at(1)).contains(t)).collect();
        let gaps: Vec<f64> = inside.windows(2).map(|w| w[1] - w[0]).collect();
        if gaps.is_empty() { f64::INFINITY } else { spark_results::stats::median(&gaps) }
    }
    /// Seconds of the run at which the double's time was 0: the counter's readings stand in its log, one line each, after the
    /// line of the question whether there is a counter.
    fn offset(&self, scope: &str) -> f64 {
        let log = self.text("log");
        let times: Vec<f64> = log.lines().map(|l| l.split(' ').next().unwrap().parse().unwrap()).collect();
        let read = self.readings("energy", scope);
        assert!(!read.is_empty() && times.len() > read.len(), "{} lines, {} readings", times.len(), read.len());
        let offsets: Vec<f64> = read.iter().zip(&times[1..]).map(|((t, _), log)| t - log).collect();
        spark_results::stats::median(&offsets)
    }
}

/// The joules of a window by the double's own curve; `rest` watts are taken beside it. Where a sensor sleeps, the window holds pauses
/// whose joules are not the work's: the double's power does not know of them, so that the powers are compared.
fn truth(energy: &Value, offset: f64, rest: f64, scope: &str) -> f64 {
    let at = |i: usize| energy["window_ns"][i].as_f64().unwrap() * 1e-9 - offset;
    let r = reading(energy, scope);
    let seconds = r["joules"].as_f64().unwrap() / r["watts"].as_f64().unwrap();
    (curve::joules(at(1)) - curve::joules(at(0))) / (at(1) - at(0)) * seconds + rest * seconds
}

fn reading<'a>(energy: &'a Value, scope: &str) -> &'a Value {
    let readings = energy["readings"].as_array().unwrap_or_else(|| panic!("no readings: {energy}"));
    readings.iter().find(|r| r["scope"] == scope).unwrap_or_else(|| panic!("{scope} did not speak: {energy}"))
}

/// Demands that the reading is right to twice its ±, and marked. The ± is meant for 95 windows of 100 (`energy.rs` holds it to that over a
/// thousand), so that one in twenty may lie outside of it.
fn right(energy: &Value, scope: &str, truth: f64, method: &str) {
    let r = reading(energy, scope);
    let (joules, plus_minus) = (r["joules"].as_f64().unwrap(), r["plus_minus"].as_f64().unwrap());
    assert!((joules - truth).abs() <= 2.0 * plus_minus * joules, "{joules} J ± {plus_minus}, in truth {truth} J: {r}");
    assert!(plus_minus <= 0.1 && r["simulated"] == true && r["method"] == method, "{r}");
}

#[test]
fn the_energy_of_a_gb10_is_right_to_its_uncertainty_and_marked() {
    // At its own pace, as people run it.
    let line = ["all", "--suite", "smoke", "--no-roofs", "--filter", "gemm/*m=1&*", "--filter", "rmsnorm/*"];
    let ran = ran_at("1", "gb10", "", &line);
    let offset = ran.offset("gpu 0");
    let energies = ran.energies();
    assert!(energies.len() >= 3, "{}", energies.len());
    let mut measured = 0;
    for energy in energies.iter().filter(|e| e["status"] == "measured") {
        measured += 1;
        let r = reading(energy, "gpu 0");
        // Windows shorter than a few ticks of the counter are told by the power, where they are told at all; and where others hold the
        // processors, the counter may be read too seldom to be the better one.
        let counted = r["joules"].as_f64().unwrap() > 60.0 && ran.reading_gap(energy) < 0.12;
        let method = if counted { "counter" } else { r["method"].as_str().unwrap() };
        right(energy, "gpu 0", truth(energy, offset, 0.0, "gpu 0"), method);
        assert!(r["covers_device"] == false, "a GPU's joules are not the processor's: {r}");
        let update_ms = r["update_ms"].as_f64().unwrap_or_default();
        // Seldom read on a busy machine it seems to tick more seldom, and never more often.
        assert!(!counted || (70.0..500.0).contains(&update_ms), "the counter ticks each 100 ms: {r}");
        assert!(r["net"].is_null() || r["net"]["idle_watts"].as_f64().unwrap() > 20.0);
    }
    assert!(measured >= 2, "each GEMM gets a window that is long enough: {energies:?}");
    let document = ran.document();
    let doubles: Vec<&Value> =
        document["manifest"]["devices"].as_array().unwrap().iter().filter(|d| d["simulated"] == true).collect();
    assert!(doubles.len() == 1 && doubles[0]["name"] == "NVIDIA GB10", "{doubles:?}");
    let report = ran.text("d/report.html");
    assert!(report.contains("Simulated device") && !document["records"].to_string().contains("items_per_joule"));
    let facts = ran.facts();
    assert!(facts.contains("shared with the processor") && facts.contains("placeholder"), "{facts}");
    let cost = document["manifest"]["telemetry_cost"].as_str().unwrap();
    let share = cost.strip_prefix("sampling took ").and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    // CPU time over the run's: a machine that is busy with others makes it smaller, never larger.
    assert!(share.is_some_and(|percent| percent <= 1.0) || !cfg!(target_os = "linux"), "{cost}");
    assert!(!ran.absent().contains(PACE), "nobody hurried it");
    // Kelvin to the limit, counters of what held the clock back under this driver's numbers, memory of a process listed twice.
    let last = |quantity: &str| ran.readings(quantity, "gpu 0").last().map(|r| r.1);
    assert_eq!(last("margin"), Some(13.0));
    assert!((last("throttled by heat (software)").unwrap() - 0.173).abs() < 1e-9);
    assert_eq!(last("process_memory"), Some(63_931.0 * f64::from(1 << 20)));
    assert_eq!((last("power_limit"), last("memory_clock")), (None, None), "what GB10 refuses is absent, not 0");
}

#[test]
fn a_jetson_refuses_and_no_number_is_told() {
    let ran = ran("jetson", "", TINY);
    assert!(ran.absent().contains(PACE), "who is hurried says so: {}", ran.absent());
    let energy = &ran.energies()[0];
    assert!(energy["status"] == "unavailable" && energy["readings"].is_null(), "{energy}");
    assert!(energy["reason"].as_str().unwrap().contains("nvml gpu 0 refused: "), "{energy}");
    assert!(ran.readings("power", "gpu 0").is_empty() && ran.done.out.is_empty());
    let report = ran.text("d/report.html");
    assert!(report.contains("nvml gpu 0 refused: ") && report.contains("No energy was measured"));
}

#[test]
fn a_module_s_counter_is_the_module_s() {
    let ran = ran("gh200", "", TINY);
    let energy = &ran.energies()[0];
    let offset = ran.offset("module 0");
    right(energy, "module 0", truth(energy, offset, curve::REST_OF_MODULE_W, "module 0"), "counter");
    assert_eq!(reading(energy, "module 0")["covers_device"], true, "a module holds its processor");
    right(energy, "gpu 0", truth(energy, offset, 0.0, "gpu 0"), "integral");
    assert!(ran.facts().contains("44712 MB/s") && ran.facts().contains("ATS"));
    assert!(
        !ran.document()["records"].to_string().contains("items_per_joule"),
        "nothing is formed from made-up joules"
    );
}

#[test]
fn an_old_driver_tells_means_and_no_counter() {
    // A driver's mean of a second is of a second.
    let ran = ran_at("1", "old", "", TINY);
    let energy = &ran.energies()[0];
    let r = reading(energy, "gpu 0");
    assert!(r["method"] == "integral" && r["source"].as_str().unwrap().contains("power_usage"), "{r}");
    // Without a counter its log is empty: the power's own level has to do, which never leaves 25 to 65 W.
    assert!((25.0..65.0).contains(&r["watts"].as_f64().unwrap()), "{r}");
    assert_eq!(ran.readings("throttle_reasons", "gpu 0").last().unwrap().1, 4.0, "asked by the call's old name");
}

#[test]
fn a_counter_that_comes_around_goes_on() {
    let ran = ran("gb10", "wrap", TINY);
    let energy = &ran.energies()[0];
    right(energy, "gpu 0", truth(energy, ran.offset("gpu 0"), 0.0, "gpu 0"), "counter");
    assert!(!ran.absent().contains("reset"), "{}", ran.absent());
    let log = ran.text("log");
    let said: Vec<u64> = log.lines().map(|l| l.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(said.windows(2).any(|w| w[1] < w[0]), "it came around while it was read: {said:?}");
    assert!(ran.readings("energy", "gpu 0").is_sorted_by(|a, b| a.1 <= b.1));
}

#[test]
fn a_counter_that_is_reset_makes_the_window_invalid() {
    let ran = ran("gb10", "reset@0.5", TINY);
    let energy = &ran.energies()[0];
    assert!(energy["status"] == "unavailable" && energy["reason"].as_str().unwrap().contains("reset"), "{energy}");
    assert!(ran.absent().contains("the counter was reset"), "{}", ran.absent());
}

#[test]
fn what_is_stuck_is_named_and_the_other_number_is_taken() {
    // A power is stuck where it says the same for two seconds, so that this takes its time.
    let energy = |faults: &str| {
        let ran = ran_at("1", "gb10", faults, TINY);
        let energy = ran.energies()[0].clone();
        (truth(&energy, ran.offset("gpu 0"), 0.0, "gpu 0"), energy)
    };
    let (joules, stuck) = energy("stuck-energy");
    right(&stuck, "gpu 0", joules, "integral");
    assert!(stuck["invalid"].to_string().contains("stood still"), "{stuck}");
    let (joules, stuck) = energy("stuck-power");
    right(&stuck, "gpu 0", joules, "counter");
    assert!(stuck["invalid"].to_string().contains("stuck"), "{stuck}");
}

#[test]
fn a_gpu_that_is_lost_or_hangs_is_named_and_the_run_goes_on() {
    // Two lengths, so that it goes on for long enough.
    let several: Vec<&str> = TINY.iter().map(|word| if *word == "8" { "7,8" } else { *word }).collect();
    let of = |fault: &str, named: &str| {
        let ran = ran("gb10", fault, &several);
        assert!(ran.absent().contains("telemetry.nvml") && ran.absent().contains(named), "{fault}: {}", ran.absent());
        assert!(ran.text("d/telemetry.jsonl").contains("\"line\":\"event\""));
        assert_eq!(ran.energies().len(), 2);
    };
    // At the same time: both wait more than they work, and no joule of theirs is looked at.
    std::thread::scope(|scope| {
        scope.spawn(|| of("lost@0.9", "gpu 0:"));
        of("hang@0.9", "did not answer within 1.5 s");
    });
}

#[test]
fn a_sensor_that_sleeps_gets_windows_at_other_phases() {
    let ran = ran("discrete", "duty", TINY);
    let energy = &ran.energies()[0];
    let r = reading(energy, "gpu 0");
    assert!(r["coverage"].as_f64().unwrap() <= 0.25, "{r}");
    right(energy, "gpu 0", truth(energy, ran.offset("gpu 0"), 0.0, "gpu 0"), "counter");
}

#[test]
fn throttling_without_a_flag_is_in_the_counter_and_memory_is_told_three_ways() {
    let facts = |faults: &str| ran("discrete", faults, SHORT).facts();
    // At the same time: no joule of theirs is looked at.
    let (machine, zero, plain) = std::thread::scope(|scope| {
        let zero = scope.spawn(|| facts("memory-zero,pcie"));
        let plain = scope.spawn(|| facts(""));
        (ran("gb10", "throttle-clear,memory-machine,pcie", SHORT), zero.join().unwrap(), plain.join().unwrap())
    });
    assert!(machine.readings("throttle_reasons", "gpu 0").iter().all(|r| r.1 == 0.0));
    let held = machine.readings("throttled by heat (software)", "gpu 0");
    assert!(held.last().unwrap().1 > held[0].1 + 0.1, "{held:?}");
    if cfg!(target_os = "linux") {
        assert!(machine.facts().contains("the machine's own memory"), "{}", machine.facts());
    }
    assert!(zero.contains("0 bytes were told") && zero.contains("a placeholder"), "{zero}");
    assert!(plain.contains("80 GiB"), "{plain}");
}

#[test]
fn a_doctor_s_driver_that_hangs_is_named_and_the_rest_is_told() {
    let place = Place::new();
    let mut command = place.command(&["doctor", "--json"]);
    command.env("SPARK_BENCH_NVML", library()).env("SPARK_NVML_DOUBLE_FAULTS", "hang@0").env(PACE, "4");
    let done: Done = command.output().unwrap().into();
    assert_eq!(done.code, Some(0), "{done:?}");
    let all: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(all["state"]["silent"], serde_json::json!(["nvml"]));
    let refused = all["state"]["power_refused"].to_string();
    assert!(refused.contains("did not answer within 2.5 s"), "{refused}");
    let findings = all["findings"].as_array().unwrap();
    assert!(findings.iter().any(|f| f["what"].as_str().unwrap().contains("nvml does not answer")), "{findings:?}");
    assert!(all["state"]["available_bytes"].as_u64().is_some(), "what answers is told");
}
