//! Sensors whose files hold no numbers: each is named with what it said, no joule is told, and what was asked for is measured.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place};
use serde_json::Value;

/// Files of the tree with what stands in them, and the words by which the refusal is known. What stands around makes them sensors.
const GARBAGE: &[(&str, &[u8], &str)] = &[
    ("sys/class/hwmon/hwmon0/energy1_input", b"\xff\xfe no number", "energy1_input: not understood"),
    ("sys/class/hwmon/hwmon0/power1_input", b"--\n", "power1_input: not understood: \"--\""),
    ("sys/class/powercap/intel-rapl:0/energy_uj", b"12e999x\n", "energy_uj: not understood: \"12e999x\""),
    ("sys/class/thermal/thermal_zone0/temp", b"hot\n", "temp: not understood: \"hot\""),
    ("sys/class/power_supply/BAT0/power_now", b"-999999999999999999999\n", "power_now: not understood"),
];
const AROUND: &[(&str, &str)] = &[
    ("sys/class/hwmon/hwmon0/name", "spbm"),
    ("sys/class/hwmon/hwmon0/energy1_label", "sys_total"),
    ("sys/class/hwmon/hwmon0/power1_label", "sys_total"),
    ("sys/class/powercap/intel-rapl:0/name", "package-0"),
    ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "none"),
    ("sys/class/thermal/thermal_zone0/type", "cpu"),
    ("sys/class/power_supply/BAT0/type", "Battery"),
    ("sys/class/power_supply/BAT0/status", "Discharging"),
    ("proc/meminfo", "MemTotal: 16777216 kB\nMemFree: 8388608 kB\nMemAvailable: 8388608 kB\n"),
];

#[test]
fn what_no_sensor_can_mean_is_refused_by_name_and_the_rest_is_measured() {
    let place = Place::new();
    let texts = AROUND.iter().map(|(path, text)| (*path, text.as_bytes()));
    for (path, bytes) in GARBAGE.iter().map(|(path, bytes, _)| (*path, *bytes)).chain(texts) {
        let file = place.at("tree").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    let mut command = place.command(&["run", "rmsnorm", "--suite", "smoke", "--no-roofs", "--out", "d", "--quiet"]);
    let done: Done = command.env("SPARK_BENCH_SYSROOT", place.at("tree")).output().unwrap().into();
    assert_eq!(done.code, Some(0), "{done:?}");
    let header = std::fs::read_to_string(place.at("d/telemetry.jsonl")).unwrap();
    let header: Value = serde_json::from_str(header.lines().next().unwrap()).unwrap();
    let refused = |said: &&str| {
        header["sensors"].as_array().unwrap().iter().any(|sensor| {
            sensor["status"] == "refused" && sensor["reason"].as_str().is_some_and(|reason| reason.contains(said))
        })
    };
    for (path, _, said) in GARBAGE {
        assert!(refused(said), "{path}: {header}");
    }
    let document: Value = serde_json::from_str(&place.fine(&["export", "d", "--format", "json"]).out).unwrap();
    let record = &document["records"][0];
    assert_eq!(
        (&record["status"], &record["energy"]["status"]),
        (&"measured".into(), &"unavailable".into()),
        "{record}"
    );
    assert!(record["energy"].get("readings").is_none_or(|all| all.as_array().is_none_or(Vec::is_empty)), "{record}");
}
