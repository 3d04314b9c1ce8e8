//! Joules over a window from what the sensors said, with scope and uncertainty; or the reason why there are none.

use spark_results::conditions::{Energy, EnergyReading};
use spark_results::telemetry::{Header, Sample, Status};
use std::collections::BTreeMap;

/// Readings less certain than this are refused: they would be quoted all the same.
const LARGEST_UNCERTAINTY: f64 = 0.10;
/// Gaps longer than this are not bridged: the sensor slept.
const LONGEST_GAP_NS: u64 = 3_000_000_000;

/// Energy on `device` in `[from_ns, to_ns]`. `samples` may reach beyond the window on both sides, and should.
pub fn over(header: &Header, samples: &[Sample], device: &str, from_ns: u64, to_ns: u64) -> Energy {
    let mut series: BTreeMap<(String, String, bool), Vec<(u64, f64)>> = BTreeMap::new();
    for sample in samples {
        for reading in &sample.readings {
            let counter = match reading.quantity.as_str() {
                "energy" => true,
                "power" => false,
                _ => continue,
            };
            let key = (reading.scope.clone(), reading.source.clone(), counter);
            series.entry(key).or_default().push((sample.t_ns, reading.value));
        }
    }
    let mut reasons = Vec::new();
    let mut readings = Vec::new();
    for ((scope, source, counter), points) in &series {
        let joules = if *counter { counted(points, from_ns, to_ns) } else { integrated(points, from_ns, to_ns) };
        match joules {
            Ok((joules, plus_minus)) if plus_minus <= LARGEST_UNCERTAINTY && joules > 0.0 => {
                readings.push(EnergyReading {
                    scope: scope.clone(),
                    source: source.clone(),
                    joules,
                    watts: joules / ((to_ns - from_ns) as f64 * 1e-9),
                    plus_minus,
                    coverage: 1.0,
                    covers_device: covers(scope, device),
                });
            }
            Ok((_, plus_minus)) => {
                reasons.push(format!("{source}: the window is too short for it (± {:.0} %)", plus_minus * 100.0));
            }
            Err(reason) => reasons.push(format!("{source}: {reason}")),
        }
    }
    if !readings.is_empty() {
        return Energy::Measured { readings };
    }
    if series.is_empty() {
        let refused = header.sensors.iter().filter(|s| s.status == Status::Refused && gives_energy(&s.name));
        reasons.extend(refused.map(|s| format!("{}: {}", s.name, s.reason.as_deref().unwrap_or("refused"))));
    }
    let reason =
        if reasons.is_empty() { "no sensor of power or energy on this machine".into() } else { reasons.join("; ") };
    Energy::Unavailable { reason }
}

fn gives_energy(sensor: &str) -> bool {
    matches!(sensor, "rapl" | "nvml" | "hwmon")
}

/// Whether `scope` contains `device`: a GPU's watts are not the processor's.
fn covers(scope: &str, device: &str) -> bool {
    let whole = ["sys_total", "wall", "module", "soc_pkg", "psys"].iter().any(|s| scope.starts_with(s));
    whole
        || match device.split_once(':') {
            Some(("cuda", index)) => scope == format!("gpu {index}"),
            _ => ["package", "cpu"].iter().any(|s| scope.starts_with(s)),
        }
}

/// Value of the series at `at`, between its neighbours. `None` outside it or in a gap.
fn at(points: &[(u64, f64)], at: u64) -> Option<f64> {
    let after = points.iter().position(|(t, _)| *t >= at)?;
    let (t1, v1) = points[after];
    if t1 == at {
        return Some(v1);
    }
    let (t0, v0) = *points.get(after.checked_sub(1)?)?;
    (t1 - t0 <= LONGEST_GAP_NS).then(|| v0 + (v1 - v0) * (at - t0) as f64 / (t1 - t0) as f64)
}

/// The uncertainty of not knowing the power inside the two intervals that the window's ends fall into.
fn edges(points: &[(u64, f64)], from_ns: u64, to_ns: u64) -> f64 {
    let gaps: Vec<u64> = points.windows(2).map(|w| w[1].0 - w[0].0).collect();
    let longest = gaps.into_iter().max().unwrap_or(u64::MAX);
    longest as f64 / (to_ns - from_ns).max(1) as f64
}

fn counted(points: &[(u64, f64)], from_ns: u64, to_ns: u64) -> Result<(f64, f64), String> {
    if points.windows(2).any(|w| w[1].1 < w[0].1) {
        return Err("its counter went back within the window".into());
    }
    match (at(points, from_ns), at(points, to_ns)) {
        (Some(before), Some(after)) => Ok((after - before, edges(points, from_ns, to_ns))),
        _ => Err("it did not cover the window".into()),
    }
}

fn integrated(points: &[(u64, f64)], from_ns: u64, to_ns: u64) -> Result<(f64, f64), String> {
    let (Some(first), Some(last)) = (at(points, from_ns), at(points, to_ns)) else {
        return Err("it did not cover the window".into());
    };
    let mut inside = vec![(from_ns, first)];
    inside.extend(points.iter().copied().filter(|(t, _)| (from_ns + 1..to_ns).contains(t)));
    inside.push((to_ns, last));
    if inside.windows(2).any(|w| w[1].0 - w[0].0 > LONGEST_GAP_NS) {
        return Err("it was silent for more than 3 s within the window".into());
    }
    let joules = inside.windows(2).map(|w| 0.5 * (w[0].1 + w[1].1) * (w[1].0 - w[0].0) as f64 * 1e-9).sum();
    Ok((joules, edges(points, from_ns, to_ns)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_results::telemetry::{Channel, Reading};

    const SECOND: u64 = 1_000_000_000;

    fn samples(quantity: &str, scope: &str, value: impl Fn(f64) -> f64) -> Vec<Sample> {
        let reading = |t: f64| Reading {
            quantity: quantity.into(),
            scope: scope.into(),
            source: "test".into(),
            value: value(t),
            unit: String::new(),
        };
        (0..=100).map(|i| Sample { t_ns: i * SECOND / 20, readings: vec![reading(i as f64 / 20.0)] }).collect()
    }

    #[test]
    fn a_counter_and_the_power_it_integrates_agree() {
        let power = samples("power", "package-0", |t| 20.0 + 10.0 * t);
        let energy = samples("energy", "package-0", |t| 20.0 * t + 5.0 * t * t);
        for series in [power, energy] {
            let Energy::Measured { readings } = over(&Header::default(), &series, "cpu", SECOND, 4 * SECOND) else {
                panic!("a covered window is measured");
            };
            // 20·3 + 5·(16 − 1) = 135 J.
            assert!((readings[0].joules - 135.0).abs() < 0.01, "{readings:?}");
            assert!(readings[0].covers_device && (readings[0].watts - 45.0).abs() < 0.01);
        }
    }

    #[test]
    fn what_cannot_be_known_is_a_reason() {
        let energy = samples("energy", "package-0", |t| if t > 2.0 { t } else { 100.0 + t });
        assert!(matches!(over(&Header::default(), &energy, "cpu", SECOND, 4 * SECOND), Energy::Unavailable { .. }));
        let short = samples("power", "package-0", |_| 20.0);
        assert!(matches!(
            over(&Header::default(), &short, "cpu", SECOND, SECOND + SECOND / 10),
            Energy::Unavailable { .. }
        ));
        let header = Header { sensors: vec![Channel::refused("rapl", None, None, "permission denied")] };
        let Energy::Unavailable { reason } = over(&header, &[], "cpu", 0, SECOND) else { panic!("nothing was read") };
        assert_eq!(reason, "rapl: permission denied");
    }

    #[test]
    fn a_sensor_that_slept_or_came_late_or_stood_still_is_no_measurement() {
        let why = |series: &[Sample]| match over(&Header::default(), series, "cpu", SECOND, 4 * SECOND + SECOND / 2) {
            Energy::Unavailable { reason } => reason,
            Energy::Measured { readings } => panic!("{readings:?}"),
        };
        let mut slept = samples("power", "package-0", |_| 20.0);
        slept.retain(|s| s.t_ns <= SECOND + SECOND / 2 || s.t_ns >= 4 * SECOND + SECOND * 3 / 4);
        assert!(why(&slept).contains("did not cover") || why(&slept).contains("silent"), "{}", why(&slept));
        let mut late = samples("energy", "package-0", |t| 20.0 * t);
        late.retain(|s| s.t_ns > 2 * SECOND);
        assert!(why(&late).contains("did not cover"), "{}", why(&late));
        // A counter that stands still over seconds of work counts nothing: 0 J would be a lie.
        assert!(!why(&samples("energy", "package-0", |_| 7.0)).is_empty());
        let other = samples("temperature", "package-0", |_| 50.0);
        assert_eq!(why(&other), "no sensor of power or energy on this machine");
    }

    #[test]
    fn every_scope_that_spoke_is_listed_with_what_it_covers() {
        let (mut all, gpu) = (samples("power", "package-0", |_| 20.0), samples("power", "gpu 0", |_| 100.0));
        all.iter_mut().zip(gpu).for_each(|(sample, gpu)| sample.readings.extend(gpu.readings));
        let Energy::Measured { readings } = over(&Header::default(), &all, "cpu", SECOND, 4 * SECOND) else {
            panic!("both cover the window");
        };
        let told: Vec<_> = readings.iter().map(|r| (r.scope.as_str(), r.watts.round(), r.covers_device)).collect();
        assert_eq!(told, [("gpu 0", 100.0, false), ("package-0", 20.0, true)]);
    }

    #[test]
    fn an_idle_gpu_does_not_cover_the_cpu() {
        assert!(covers("package-0", "cpu") && covers("wall", "cpu") && covers("gpu 0", "cuda:0"));
        assert!(!covers("gpu 0", "cpu") && !covers("gpu 0", "cuda:1") && !covers("package-0", "cuda:0"));
    }
}
