//! The sensors, and the sampler that writes what they read.

use std::collections::BTreeSet;
#[cfg(unix)]
use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[cfg(unix)]
use crate::fixture::file;
use crate::fixture::{gb10, tree};
use spark_bench::os::SysRoot;
use spark_bench::telemetry::{self, Sampler};
use spark_results::telemetry::{Line, Status};

#[test]
fn sensors_of_a_dgx_spark_say_what_they_have_and_what_not() {
    let dir = tree(&gb10());
    let mut channels = Vec::new();
    let mut readings = Vec::new();
    for mut sensor in telemetry::sensors(&SysRoot::at(dir.path())) {
        let asked = sensor.probe();
        assert!(!asked.is_empty(), "{} said nothing", sensor.name());
        channels.extend(asked);
        readings.extend(sensor.read());
    }
    let zones: Vec<f64> = readings.iter().filter(|r| r.quantity == "temperature").map(|r| r.value).collect();
    assert_eq!(zones, [45.0, 46.0, 47.0, 48.0, 49.0, 50.0, 51.0]);
    let power: Vec<_> = readings
        .iter()
        .filter(|r| r.quantity == "power")
        .map(|r| (r.scope.as_str(), r.value, r.unit.as_str()))
        .collect();
    assert_eq!(power, [("sys_total", 25.0, "W")]);
    let refused: BTreeSet<&str> =
        channels.iter().filter(|c| c.status == Status::Refused).map(|c| c.name.as_str()).collect();
    assert!(
        ["cpu load", "hwmon", "nvml", "rapl", "spbm", "battery", "ina", "grace"].iter().all(|n| refused.contains(n)),
        "{refused:?}"
    );
    assert!(channels.iter().all(|c| (c.status == Status::Refused) == c.reason.is_some()));
}

#[cfg(unix)]
#[test]
fn energy_wraps_and_a_refused_zone_has_its_mend() {
    let zone = |z: &str, f: &str| format!("/sys/class/powercap/{z}/{f}");
    let dir = tree(&[
        file(zone("intel-rapl:0", "name"), "package-0\n"),
        file(zone("intel-rapl:0", "energy_uj"), "900000\n"),
        file(zone("intel-rapl:0", "max_energy_range_uj"), "999999\n"),
        file(zone("intel-rapl:0:0", "name"), "core\n"),
    ]);
    let mut sensors = telemetry::sensors(&SysRoot::at(dir.path()));
    let rapl = sensors.iter_mut().find(|s| s.name() == "rapl").unwrap();
    let channels = rapl.probe();
    let told: Vec<_> = channels.iter().map(|c| (c.scope.as_deref(), c.status)).collect();
    assert_eq!(told, [(Some("cpu"), Status::Ok), (Some("cpu/core"), Status::Refused)]);
    assert!(channels[1].reason.as_deref().is_some_and(|r| r.contains("no such file")), "{channels:?}");
    fs::write(dir.path().join("sys/class/powercap/intel-rapl:0/energy_uj"), "100000\n").unwrap();
    let readings = rapl.read();
    assert_eq!(readings.len(), 1);
    assert!((readings[0].value - 0.2).abs() < 1e-9 && readings[0].unit == "J", "{readings:?}");
}

/// A file in memory.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_sampler_writes_a_header_then_samples_and_never_nothing() {
    let out = Shared::default();
    let start = Instant::now();
    let sampler = Sampler::start(Box::new(out.clone()), telemetry::sensors(&SysRoot::live()), start).unwrap();
    let header = sampler.header().clone();
    let began = Instant::now();
    // A tick of the kernel's clock must pass for a load; at least one does within this, however slow the machine is.
    while sampler.between(0, u64::MAX).len() < 3 && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let at_hand = sampler.between(0, u64::MAX);
    assert!(sampler.between(at_hand[0].t_ns, at_hand[0].t_ns).len() == 1);
    let cost = sampler.stop();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Line> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0], Line::Header(header.clone()));
    for name in ["cpu load", "memory", "cpufreq", "thermal", "hwmon", "rapl", "nvml"] {
        assert!(header.sensors.iter().any(|c| c.name == name), "{name} is not in the header");
    }
    assert!(header.sensors.iter().any(|c| c.name == "memory" && c.status == Status::Ok));
    let samples: Vec<_> = lines[1..]
        .iter()
        .map(|l| match l {
            Line::Sample(s) => s,
            other => panic!("{other:?} on a machine that is well"),
        })
        .collect();
    assert_eq!(cost.samples, samples.len() as u64);
    assert!(samples.len() >= 2 && samples.is_sorted_by_key(|s| s.t_ns));
    assert!(samples.iter().all(|s| !s.readings.is_empty()));
    let ok: BTreeSet<_> = header
        .sensors
        .iter()
        .filter(|c| c.status == Status::Ok)
        .map(|c| (c.quantity.clone(), c.scope.clone(), c.source.clone()))
        .collect();
    for r in samples.iter().flat_map(|s| &s.readings) {
        assert!(
            ok.contains(&(Some(r.quantity.clone()), Some(r.scope.clone()), Some(r.source.clone()))),
            "{r:?} is not announced"
        );
    }
    assert_eq!(cost.error, None);
    if cfg!(target_os = "linux") {
        assert!(cost.cpu.is_ok() && cost.share().is_some(), "{cost:?}");
    }
}

/// A disk that is full after so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 =
            self.0.checked_sub(bytes.len()).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::StorageFull))?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_reported_and_ends_nothing() {
    let sensors = || telemetry::sensors(&SysRoot::live());
    assert!(Sampler::start(Box::new(Full(10)), sensors(), Instant::now()).is_err());
    let room = serde_json::to_string(&Line::Header(spark_results::telemetry::Header {
        sensors: sensors().iter_mut().flat_map(|s| s.probe()).collect(),
        ..spark_results::telemetry::Header::default()
    }))
    .unwrap()
    .len();
    let sampler = Sampler::start(Box::new(Full(room + 1)), sensors(), Instant::now()).unwrap();
    let cost = sampler.stop();
    assert!(cost.error.is_some() && cost.samples >= 1, "{cost:?}");
}

#[test]
fn reading_every_sensor_and_writing_it_takes_less_than_a_hundredth_of_a_processor() {
    // As long as an average task, of which every sensor is read as often as it asks for; what is counted is CPU time alone.
    const SECONDS: f64 = 60.0;
    let at = |f: &str| format!("/sys/class/hwmon/hwmon4/{f}");
    let mut files = gb10();
    files.push(crate::fixture::file(at("name"), "spbm\n"));
    for (n, label) in ["sys_total", "soc_pkg", "cpu_p", "cpu_e", "gpu"].iter().enumerate() {
        for (quantity, value) in [("power", "28500000\n"), ("energy", "900000000\n")] {
            files.push(crate::fixture::file(at(&format!("{quantity}{}_label", n + 1)), format!("{label}\n")));
            files.push(crate::fixture::file(at(&format!("{quantity}{}_input", n + 1)), value));
        }
    }
    let dir = tree(&files);
    for root in [SysRoot::at(dir.path()), SysRoot::live()] {
        let mut spoke = 0;
        let mut spent = Duration::ZERO;
        for mut sensor in telemetry::sensors(&root) {
            if sensor.probe().iter().all(|c| c.status == Status::Refused) {
                continue;
            }
            spoke += 1;
            let times = (SECONDS / sensor.period().as_secs_f64()) as u32;
            // A tenth of them: they are all alike.
            let times = times.div_ceil(10);
            let before = spark_bench::os::thread_cpu_time();
            for t_ns in 0..u64::from(times) {
                let readings = sensor.read();
                let line = Line::Sample(spark_results::telemetry::Sample { t_ns, slack_ns: 0, readings });
                std::hint::black_box(serde_json::to_string(&line).unwrap());
            }
            let (Ok(before), Ok(after)) = (before, spark_bench::os::thread_cpu_time()) else { return };
            spent += after - before;
        }
        let share = 10.0 * spent.as_secs_f64() / SECONDS;
        assert!(spoke >= 2 && share <= 0.01, "{spoke} sensors take {:.2} % of one processor", 100.0 * share);
    }
}
