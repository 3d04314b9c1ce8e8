//! Sensors of power on machines that are not here: two sockets, a DGX Spark with its driver, Grace, Jetson, a laptop; and bad ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::fixture::{file, tree};
use spark_bench::os::SysRoot;
use spark_bench::pace::Pace;
use spark_bench::telemetry::{self, Sampler, Sensor};
use spark_results::telemetry::{Channel, Reading, Status};

/// Numbers by quantity and scope.
type Numbers = BTreeMap<(String, String), f64>;

/// What one sensor has, and what it reads after `then` has changed the files.
fn asked(name: &str, dir: &Path, then: impl FnOnce(&Path)) -> (Vec<Channel>, Numbers, Option<String>) {
    let mut sensors = telemetry::sensors(&SysRoot::at(dir));
    let sensor = sensors.iter_mut().find(|s| s.name() == name).unwrap();
    let channels = sensor.probe();
    then(dir);
    let readings = sensor.read().into_iter().map(|r: Reading| ((r.quantity, r.scope), r.value)).collect();
    (channels, readings, sensor.trouble())
}

fn of(readings: &Numbers, quantity: &str, scope: &str) -> f64 {
    readings
        .get(&(quantity.to_owned(), scope.to_owned()))
        .copied()
        .unwrap_or_else(|| panic!("no {quantity} of {scope}: {readings:?}"))
}

fn put(dir: &Path, path: &str, text: &str) {
    fs::write(dir.join(path.trim_start_matches('/')), text).unwrap();
}

#[test]
fn two_sockets_have_numbers_and_the_board_is_the_whole_machine() {
    let zone = |z: &str, name: &str, uj: &str| {
        let at = |f: &str| format!("/sys/class/powercap/{z}/{f}");
        [file(at("name"), name), file(at("energy_uj"), uj), file(at("max_energy_range_uj"), "262143328850\n")]
    };
    let files: Vec<_> = [
        zone("intel-rapl:0", "package-0\n", "1000000\n"),
        zone("intel-rapl:1", "package-1\n", "1000000\n"),
        zone("intel-rapl:0:0", "dram\n", "1000000\n"),
        zone("intel-rapl:2", "psys\n", "1000000\n"),
        zone("intel-rapl-mmio:0", "package-0\n", "1000000\n"),
    ]
    .concat();
    let dir = tree(&files);
    let (channels, readings, _) =
        asked("rapl", dir.path(), |d| put(d, "/sys/class/powercap/intel-rapl:1/energy_uj", "3500000\n"));
    let scopes: Vec<_> = channels.iter().filter_map(|c| c.scope.as_deref()).collect();
    assert_eq!(scopes, ["cpu 0", "cpu 1", "sys_total", "cpu 0/dram"], "the same package is not counted twice");
    assert!((of(&readings, "energy", "cpu 1") - 2.5).abs() < 1e-9 && of(&readings, "energy", "cpu 0") == 0.0);
}

#[test]
fn a_spark_s_rails_have_scopes_limits_are_no_powers_and_the_counter_comes_around() {
    let at = |f: &str| format!("/sys/class/hwmon/hwmon4/{f}");
    let mut files =
        vec![file(at("name"), "spbm\n"), file(at("power_cap"), "140000000\n"), file(at("temp1_input"), "61000\n")];
    let powers = [
        ("sys_total", 41.0),
        ("soc_pkg", 28.5),
        ("cpu_p", 9.0),
        ("cpu_e", 1.5),
        ("gpu", 12.0),
        ("prereg", 30.0),
        ("pl1", 140.0),
    ];
    for (i, (label, watts)) in powers.iter().enumerate() {
        files.push(file(at(&format!("power{}_label", i + 1)), format!("{label}\n")));
        files.push(file(at(&format!("power{}_input", i + 1)), format!("{}\n", watts * 1e6)));
    }
    let full = ((1u64 << 32) - 1) * 1000;
    for (i, label) in ["pkg", "cpu_e", "cpu_p", "gpu"].iter().enumerate() {
        files.push(file(at(&format!("energy{}_label", i + 1)), format!("{label}\n")));
        files.push(file(at(&format!("energy{}_input", i + 1)), format!("{}\n", full - 999_000)));
    }
    let dir = tree(&files);
    let (channels, readings, trouble) = asked("spbm", dir.path(), |d| {
        put(d, &at("energy1_input"), "1000000\n");
        put(d, &at("power5_input"), "N/A\n");
    });
    assert!((of(&readings, "energy", "soc_pkg") - 2.0).abs() < 1e-3, "2^32 mJ come around: {readings:?}");
    assert_eq!(
        (of(&readings, "power", "sys_total"), of(&readings, "power", "cpu"), of(&readings, "power_limit", "spbm pl1")),
        (41.0, 10.5, 140.0)
    );
    assert!(
        !readings.contains_key(&("power".into(), "gpu 0".into())) && trouble.unwrap().contains("N/A"),
        "garbage is named and left out"
    );
    assert!(channels.iter().any(|c| c.scope.as_deref() == Some("gpu 0") && c.quantity.as_deref() == Some("energy")));
    assert_eq!(fs::read_to_string(dir.path().join("sys/class/hwmon/hwmon4/power_cap")).unwrap(), "140000000\n");
}

#[test]
fn grace_s_four_meters_are_four_scopes() {
    let mut files = Vec::new();
    let meters = [
        ("Module Power Socket 0", 310.0),
        ("Grace Power Socket 0", 101.0),
        ("CPU Power Socket 0", 53.0),
        ("SysIO Power Socket 0", 6.0),
    ];
    for (i, (label, watts)) in meters.iter().enumerate() {
        let at = |f: &str| format!("/sys/class/hwmon/hwmon{i}/{f}");
        files.extend([
            file(at("name"), "power_meter\n"),
            file(at("device/power1_oem_info"), format!("{label}\n")),
            file(at("device/power1_average"), format!("{}\n", watts * 1e6)),
            file(at("device/power1_average_interval"), "50\n"),
        ]);
    }
    let dir = tree(&files);
    let (channels, readings, _) = asked("grace", dir.path(), |_| {});
    let told: Vec<f64> = ["module", "cpu", "cpu/rail", "cpu/sysio"].iter().map(|s| of(&readings, "power", s)).collect();
    assert_eq!(told, [310.0, 101.0, 53.0, 6.0]);
    assert!(channels.iter().all(|c| c.averages_ms == Some(50.0)));
}

#[test]
fn a_jetson_s_board_is_volts_times_amperes_or_watts_and_usb_is_no_measurement() {
    let at = |f: &str| format!("/sys/class/hwmon/hwmon1/{f}");
    let dir = tree(&[
        file(at("name"), "ina3221\n"),
        file(at("in1_label"), "VDD_IN\n"),
        file(at("in1_input"), "19000\n"),
        file(at("curr1_input"), "800\n"),
        file(at("in2_label"), "VDD_CPU_CV\n"),
        file(at("in2_input"), "5000\n"),
        file(at("curr2_input"), "500\n"),
        file("/sys/class/hwmon/hwmon2/name", "ucsi_source_psy_1\n"),
        file("/sys/class/hwmon/hwmon2/curr1_input", "3000\n"),
    ]);
    let (_, readings, _) = asked("ina", dir.path(), |_| {});
    assert!(
        (of(&readings, "power", "sys_total") - 15.2).abs() < 1e-9
            && (of(&readings, "power", "rail VDD_CPU_CV") - 2.5).abs() < 1e-9
    );
    assert_eq!(readings.len(), 2);
    let dir = tree(&[
        file(at("name"), "ina238\n"),
        file(at("power1_input"), "43200000\n"),
        file(at("power1_label"), "VIN\n"),
    ]);
    assert!((of(&asked("ina", dir.path(), |_| {}).1, "power", "sys_total") - 43.2).abs() < 1e-9);
    let old = |f: &str| format!("/sys/bus/i2c/drivers/ina3221x/1-0040/iio:device0/{f}");
    let dir = tree(&[file(old("rail_name_0"), "POM_5V_IN\n"), file(old("in_power0_input"), "4321\n")]);
    assert!((of(&asked("ina", dir.path(), |_| {}).1, "power", "sys_total") - 4.321).abs() < 1e-9);
}

#[test]
fn a_battery_tells_while_it_discharges() {
    let at = |f: &str| format!("/sys/class/power_supply/BAT0/{f}");
    let files = [
        file(at("type"), "Battery\n"),
        file(at("status"), "Discharging\n"),
        file(at("current_now"), "1500000\n"),
        file(at("voltage_now"), "12000000\n"),
    ];
    let dir = tree(&files);
    let (_, readings, _) = asked("battery", dir.path(), |_| {});
    assert!((of(&readings, "power", "sys_total") - 18.0).abs() < 1e-9);
    let (_, readings, trouble) = asked("battery", dir.path(), |d| put(d, &at("status"), "Charging\n"));
    assert!(readings.is_empty() && trouble.unwrap().contains("plugged in"));
    let (channels, ..) = asked("battery", dir.path(), |_| {});
    assert!(
        channels[0].status == Status::Refused && channels[0].reason.as_deref().unwrap().contains("not discharging")
    );
}

/// A sensor that answers once and then hangs, or that hangs at once.
struct Hung {
    at_once: bool,
    reads: u32,
}

impl Sensor for Hung {
    fn name(&self) -> &'static str {
        "hung"
    }
    fn probe(&mut self) -> Vec<Channel> {
        if self.at_once {
            std::thread::sleep(Duration::from_secs(3600));
        }
        vec![Channel::ok("hung", "power", "cpu", "nowhere", "W", Some(10))]
    }
    fn read(&mut self) -> Vec<Reading> {
        self.reads += 1;
        if self.reads > 3 {
            std::thread::sleep(Duration::from_secs(3600));
        }
        vec![Reading {
            quantity: "power".into(),
            scope: "cpu".into(),
            source: "nowhere".into(),
            value: 1.0,
            unit: "W".into(),
        }]
    }
    fn period(&self) -> Duration {
        Duration::from_millis(10)
    }
}

#[test]
fn a_sensor_that_hangs_is_named_and_holds_up_nobody() {
    let sensors: Vec<Box<dyn Sensor>> =
        vec![Box::new(Hung { at_once: true, reads: 0 }), Box::new(Hung { at_once: false, reads: 0 })];
    let quick = Pace::hurried(10.0);
    let sampler = Sampler::start_on(&[], quick, Box::new(std::io::sink()), sensors, Instant::now()).unwrap();
    let channels = &sampler.header().sensors;
    assert!(channels[0].reason.as_deref().unwrap().contains("did not answer within 1 s"), "{channels:?}");
    assert_eq!(channels[1].status, Status::Ok);
    let began = Instant::now();
    // Three tenths of a second after its last reading, and a look at it every fortieth.
    while sampler.events().is_empty() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let cost = sampler.stop();
    assert_eq!(cost.samples, 3, "{cost:?}");
    assert!(cost.events.len() == 1 && cost.events[0].what.contains("did not answer within 0.3 s"), "{cost:?}");
}

#[test]
fn a_look_waits_for_no_sensor_that_hangs() {
    let sensors: Vec<Box<dyn Sensor>> = vec![
        Box::new(Hung { at_once: true, reads: 0 }),
        Box::new(Hung { at_once: false, reads: 3 }),
        Box::new(Hung { at_once: false, reads: 0 }),
    ];
    let looks = telemetry::look(sensors, Pace::hurried(10.0));
    let told: Vec<_> = looks.iter().map(|l| (l.silent, l.readings.len(), l.channels[0].status)).collect();
    assert_eq!(told, [(true, 0, Status::Refused), (true, 0, Status::Refused), (false, 1, Status::Ok)]);
    assert!(looks[1].channels[0].reason.as_deref().unwrap().contains("did not answer within 1 s"), "{looks:?}");
}
