//! Windows whose joules are known, and windows that are none.

use super::*;
use spark_results::telemetry::{Channel, Reading};

const SECOND: u64 = 1_000_000_000;

fn reading(quantity: &str, scope: &str, source: &str, value: f64) -> Reading {
    Reading { quantity: quantity.into(), scope: scope.into(), source: source.into(), value, unit: String::new() }
}

/// Twenty readings a second for five seconds.
fn samples(quantity: &str, scope: &str, value: impl Fn(f64) -> f64) -> Vec<Sample> {
    let source = format!("test {quantity}");
    let one = |t: f64| reading(quantity, scope, &source, value(t));
    let sample = |i| Sample { t_ns: i * SECOND / 20, readings: vec![one(i as f64 / 20.0)], ..Sample::default() };
    (0..=100).map(sample).collect()
}

/// A header in which one sensor gives both.
fn header(scope: &str) -> Header {
    let channel = |q: &str| Channel::ok("test", q, scope, &format!("test {q}"), "", Some(50));
    Header { sensors: vec![channel("power"), channel("energy")], ..Header::default() }
}

fn both(mut a: Vec<Sample>, b: Vec<Sample>) -> Vec<Sample> {
    a.iter_mut().zip(b).for_each(|(a, b)| a.readings.extend(b.readings));
    a
}

/// 20 W with a jitter of a hundredth, as real powers have one.
fn steady(t: f64) -> f64 {
    20.0 + 0.2 * (37.0 * t).sin()
}

fn measured(header: &Header, series: &[Sample], from: u64, to: u64) -> (Vec<EnergyReading>, Vec<InvalidEnergy>) {
    match over(header, series, "cpu", from, to) {
        Energy::Measured { readings, invalid, window_ns } => {
            assert_eq!(window_ns, Some([from, to]));
            (readings, invalid)
        }
        Energy::Unavailable { reason } => panic!("{reason}"),
    }
}

fn why(header: &Header, series: &[Sample], from: u64, to: u64) -> String {
    match over(header, series, "cpu", from, to) {
        Energy::Unavailable { reason } => reason,
        Energy::Measured { readings, .. } => panic!("{readings:?}"),
    }
}

#[test]
fn a_counter_and_the_power_it_integrates_agree() {
    let power = samples("power", "cpu", |t| 20.0 + 10.0 * t);
    let energy = samples("energy", "cpu", |t| 20.0 * t + 5.0 * t * t);
    for series in [power, energy] {
        let (readings, _) = measured(&Header::default(), &series, SECOND, 4 * SECOND);
        // 20·3 + 5·(16 − 1) = 135 J; a reading is up to 50 ms older than its update, at 30 to 60 W.
        assert!((readings[0].joules - 135.0).abs() < 1.0, "{readings:?}");
        assert!((readings[0].joules - 135.0).abs() < readings[0].plus_minus * 135.0);
        assert!(readings[0].covers_device && (readings[0].watts - 45.0).abs() < 0.4);
    }
}

#[test]
fn the_counter_is_taken_where_it_agrees_with_its_own_power() {
    let power = || samples("power", "cpu", steady);
    let joules = |factor: f64| samples("energy", "cpu", move |t| factor * (20.0 * t - 0.2 / 37.0 * (37.0 * t).cos()));
    let (readings, invalid) = measured(&header("cpu"), &both(power(), joules(1.0)), SECOND, 4 * SECOND);
    assert!(readings.len() == 1 && invalid.is_empty(), "one scope of one sensor is told once: {readings:?}");
    assert!(readings[0].method == Some(Method::Counter) && (readings[0].cross_check.unwrap() - 1.0).abs() < 0.02);
    // A counter of something larger: on GH200 the whole module's.
    let (readings, invalid) = measured(&header("cpu"), &both(power(), joules(1.5)), SECOND, 4 * SECOND);
    assert!(readings[0].method == Some(Method::Integral) && (readings[0].joules - 60.0).abs() < 1.0);
    assert!(invalid[0].reason.contains("50 % off"), "{invalid:?}");
    // One that stands still leaves the integral.
    let (readings, invalid) =
        measured(&header("cpu"), &both(power(), samples("energy", "cpu", |_| 7.0)), SECOND, 4 * SECOND);
    assert!(readings[0].method == Some(Method::Integral) && invalid[0].reason.contains("stood still"));
    // A power that is stuck leaves the counter.
    let stuck = both(samples("power", "cpu", |_| 3.0), joules(1.0));
    let (readings, invalid) = measured(&header("cpu"), &stuck, SECOND, 4 * SECOND);
    assert!(readings[0].method == Some(Method::Counter) && invalid[0].reason.contains("stuck"), "{invalid:?}");
}

#[test]
fn a_reset_makes_everything_of_its_sensor_invalid() {
    let energy = samples("energy", "cpu", |t| if t > 2.0 { 20.0 * t } else { 100.0 + 20.0 * t });
    assert!(why(&header("cpu"), &both(energy, samples("power", "cpu", steady)), SECOND, 4 * SECOND).contains("reset"));
    // One that was before the window is over.
    let early = samples("energy", "cpu", |t| if t > 0.5 { 20.0 * t } else { 100.0 + 20.0 * t });
    let gone = |s: Sample| Sample { t_ns: s.t_ns + if s.t_ns > SECOND / 2 { 8 * SECOND } else { 0 }, ..s };
    let late: Vec<Sample> = early.into_iter().map(gone).collect();
    assert_eq!(measured(&header("cpu"), &late, 12 * SECOND - SECOND / 4, 12 * SECOND + SECOND / 2).0.len(), 1);
}

#[test]
fn what_cannot_be_known_is_a_reason() {
    let short = samples("power", "cpu", |t| if t > 1.05 { 40.0 } else { steady(t) });
    assert!(why(&Header::default(), &short, SECOND, SECOND + SECOND / 10).contains("too short"));
    let header =
        Header { sensors: vec![Channel::refused("rapl", None, None, "permission denied")], ..Header::default() };
    assert_eq!(why(&header, &[], 0, SECOND), "rapl: permission denied");
    let other = samples("temperature", "cpu", |_| 50.0);
    assert_eq!(why(&Header::default(), &other, SECOND, 4 * SECOND), "no sensor of power or energy on this machine");
}

#[test]
fn a_sensor_that_slept_or_came_late_or_stood_still_is_no_measurement() {
    let why = |series: &[Sample]| why(&Header::default(), series, SECOND, 4 * SECOND + SECOND / 2);
    let mut slept = samples("power", "cpu", steady);
    slept.retain(|s| s.t_ns <= SECOND + SECOND / 2 || s.t_ns >= 4 * SECOND + SECOND * 3 / 4);
    assert!(why(&slept).contains("silent"), "{}", why(&slept));
    let mut late = samples("energy", "cpu", |t| 20.0 * t);
    late.retain(|s| s.t_ns > 2 * SECOND);
    assert!(why(&late).contains("did not cover"), "{}", why(&late));
    // A counter that stands still over seconds of work counts nothing: 0 J would be a lie.
    assert!(why(&samples("energy", "cpu", |_| 7.0)).contains("stood still"));
    assert!(why(&samples("power", "cpu", |_| 7.0)).contains("stuck"));
}

#[test]
fn a_meter_at_the_wall_may_say_the_same_for_long() {
    let (readings, _) = measured(&Header::default(), &samples("power", "wall", |_| 150.0), SECOND, 4 * SECOND);
    // Half a watt is what whole watts hide.
    assert!(
        (readings[0].joules - 450.0).abs() < 1e-6 && readings[0].plus_minus >= 0.5 / 150.0 && readings[0].covers_device
    );
}

#[test]
fn every_scope_that_spoke_is_listed_with_what_it_covers() {
    let all = both(samples("power", "cpu", steady), samples("power", "gpu 0", |t| 5.0 * steady(t)));
    let (readings, _) = measured(&Header::default(), &all, SECOND, 4 * SECOND);
    let told: Vec<_> = readings.iter().map(|r| (r.scope.as_str(), r.watts.round(), r.covers_device)).collect();
    assert_eq!(told, [("cpu", 20.0, true), ("gpu 0", 100.0, false)]);
}

#[test]
fn two_sockets_are_summed_only_where_both_spoke() {
    let channels = ["cpu 0", "cpu 1"].map(|s| Channel::ok("rapl", "energy", s, &format!("z {s}"), "J", Some(50)));
    let header = Header { sensors: channels.to_vec(), ..Header::default() };
    let sample = |i: u64, sockets: &[(&str, f64)]| Sample {
        t_ns: i * SECOND / 20,
        readings: sockets.iter().map(|(s, w)| reading("energy", s, &format!("z {s}"), w * i as f64 / 20.0)).collect(),
        ..Sample::default()
    };
    let two: Vec<Sample> = (0..=100).map(|i| sample(i, &[("cpu 0", 30.0), ("cpu 1", 50.0)])).collect();
    let (readings, _) = measured(&header, &two, SECOND, 4 * SECOND);
    let told: Vec<_> = readings.iter().map(|r| (r.scope.as_str(), r.watts.round(), r.covers_device)).collect();
    assert_eq!(told, [("cpu 0", 30.0, false), ("cpu 1", 50.0, false), ("cpu", 80.0, true)]);
    let one: Vec<Sample> = (0..=100).map(|i| sample(i, &[("cpu 0", 30.0)])).collect();
    let (readings, _) = measured(&header, &one, SECOND, 4 * SECOND);
    assert!(
        readings.len() == 1 && !readings[0].covers_device,
        "half of the work's joules are not the work's: {readings:?}"
    );
}

#[test]
fn what_a_machine_takes_at_rest_is_subtracted_with_its_own_uncertainty() {
    // Two seconds at 20 W, then work at 60 W.
    let watts = |t: f64| steady(t) + if t > 2.0 { 40.0 } else { 0.0 };
    let series = samples("power", "cpu", watts);
    let idle = Idle::of(&Header::default(), &series, SECOND / 2, 2 * SECOND - SECOND / 4);
    let mut energy = over(&Header::default(), &series, "cpu", 2 * SECOND + SECOND / 2, 4 * SECOND + SECOND / 2);
    idle.subtract(&mut energy);
    let Energy::Measured { readings, .. } = energy else { panic!("it spoke") };
    let net = readings[0].net.as_ref().unwrap();
    assert!(
        (readings[0].joules - 120.0).abs() < 1.0
            && (net.joules - 80.0).abs() < 1.5
            && (net.idle_watts - 20.0).abs() < 0.3
    );
    assert!(net.plus_minus > readings[0].plus_minus);
    // Where the work hardly shows above rest, nothing is said of it.
    let mut rest = over(&Header::default(), &series, "cpu", SECOND / 2, SECOND + SECOND * 3 / 4);
    idle.subtract(&mut rest);
    assert!(matches!(rest, Energy::Measured { readings, .. } if readings[0].net.is_none()));
}

#[test]
fn a_sensor_that_sleeps_is_less_certain_and_says_what_it_saw() {
    // Bursts of 20 W about every 0.3 s.
    let watts = |t: f64| 30.0 + steady(t) + if (t * 3.3).fract() < 0.4 { 20.0 } else { 0.0 };
    let series = samples("power", "gpu 0", watts);
    let of = |duty| {
        let channel = Channel { duty, ..Channel::ok("nvml", "power", "gpu 0", "test power", "W", Some(50)) };
        let header = Header { sensors: vec![channel], ..Header::default() };
        measured(&header, &series, SECOND, 4 * SECOND).0[0].clone()
    };
    let (awake, asleep) = (of(None), of(Some(0.25)));
    assert!(asleep.plus_minus > 1.3 * awake.plus_minus, "{} {}", asleep.plus_minus, awake.plus_minus);
    assert!(awake.coverage == 1.0 && asleep.coverage == 0.25);
}

#[test]
fn a_double_says_so() {
    let channel = Channel { simulated: true, ..Channel::ok("nvml", "power", "module 0", "test power", "W", Some(50)) };
    let header = Header { sensors: vec![channel], ..Header::default() };
    let (readings, _) = measured(&header, &samples("power", "module 0", steady), SECOND, 4 * SECOND);
    assert!(readings[0].simulated && readings[0].covers_device);
}
