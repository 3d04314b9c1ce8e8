//! Joules over a window from what the sensors said, with scope and uncertainty; or the reason why there are none.
//!
//! A counter's difference is taken where the counter is good: it only grows, and it agrees within a tenth with the integral of the
//! power that the same sensor states. Else the integral is. What is uncertain is what lies between two updates of the sensor at the
//! window's ends, what a sensor sleeps through, and when exactly it updated; the sensor's calibration is not in it.

mod counted;
mod idle;
mod integrated;
mod knots;
mod scope;
mod series;

pub use idle::Idle;

use spark_results::conditions::{Energy, EnergyReading, InvalidEnergy, Method};
use spark_results::telemetry::{Header, Sample, Status};
use std::collections::BTreeSet;

use series::Pair;

/// Readings less certain than this are refused: they would be quoted all the same.
const LARGEST_UNCERTAINTY: f64 = 0.10;
/// Gaps longer than this are not bridged: the sensor slept.
const LONGEST_GAP_S: f64 = 3.0;
/// A counter farther from the integral of its own sensor's power than this counts something else.
const AGREEMENT: f64 = 0.10;

/// What one sensor says of a window.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    joules: f64,
    /// The true joules lie no farther from them than this, in nineteen windows of twenty.
    half: f64,
    update_s: Option<f64>,
    coverage: f64,
    peak_w: Option<f64>,
}

/// What came of one sensor in one scope.
#[derive(Debug)]
struct Found {
    scope: String,
    source: String,
    method: Method,
    simulated: bool,
    /// Counter over integral.
    cross_check: Option<f64>,
    estimate: Result<Estimate, String>,
}

/// Energy on `device` in `[from_ns, to_ns]`. `samples` may reach beyond the window on both sides, and should.
pub fn over(header: &Header, samples: &[Sample], device: &str, from_ns: u64, to_ns: u64) -> Energy {
    over_windows(header, samples, device, &[[from_ns, to_ns]])
}

/// Energy on `device` in all of `windows` together, which lie apart: repetitions of the same work at different phases of a sensor
/// that sleeps.
pub fn over_windows(header: &Header, samples: &[Sample], device: &str, windows: &[[u64; 2]]) -> Energy {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        return Energy::Unavailable { reason: "no window was measured".into() };
    };
    let seconds: f64 = windows.iter().map(|w| w[1].saturating_sub(w[0]) as f64 * 1e-9).sum();
    let mut found = found(header, samples, windows);
    found.extend(sockets(header, &found));
    let told = header.sensors.iter().filter(|c| c.status == Status::Ok).filter_map(|c| c.scope.as_deref());
    let scopes: BTreeSet<&str> = told.chain(found.iter().map(|f| f.scope.as_str())).collect();
    let (mut readings, mut invalid) = (Vec::new(), Vec::new());
    for one in &found {
        let valid = one.estimate.clone().and_then(|e| match e.half / e.joules {
            plus_minus if e.joules > 0.0 && plus_minus <= LARGEST_UNCERTAINTY => Ok((e, plus_minus)),
            _ if e.joules <= 0.0 => Err("it counted nothing".to_owned()),
            share => Err(format!("the window is too short for it (± {:.0} %)", share * 100.0)),
        });
        match valid {
            Ok((e, plus_minus)) => readings.push(EnergyReading {
                scope: one.scope.clone(),
                source: one.source.clone(),
                joules: e.joules,
                watts: e.joules / seconds,
                plus_minus,
                coverage: e.coverage,
                covers_device: scope::covers(&one.scope, device, &scopes),
                method: Some(one.method),
                update_ms: e.update_s.map(|s| s * 1e3),
                peak_watts: e.peak_w,
                cross_check: one.cross_check,
                net: None,
                simulated: one.simulated,
            }),
            Err(reason) => {
                invalid.push(InvalidEnergy { scope: one.scope.clone(), source: one.source.clone(), reason });
            }
        }
    }
    if !readings.is_empty() {
        return Energy::Measured { readings, invalid, window_ns: Some([first[0], last[1]]) };
    }
    let mut reasons: Vec<String> = invalid.iter().map(|i| format!("{}: {}", i.source, i.reason)).collect();
    if found.is_empty() {
        let powers = |quantity: Option<&str>| matches!(quantity, Some("power" | "energy"));
        let spoke = header.sensors.iter().filter(|s| s.status == Status::Ok && powers(s.quantity.as_deref()));
        reasons
            .extend(spoke.map(|s| format!("{}: it said nothing in this time", s.source.as_deref().unwrap_or(&s.name))));
        for s in header.sensors.iter().filter(|s| s.status == Status::Refused && gives_energy(s)) {
            let what = s.scope.as_deref().map_or_else(String::new, |scope| format!(" {scope} refused"));
            let reason = format!("{}{what}: {}", s.name, s.reason.as_deref().unwrap_or("refused"));
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    let reason =
        if reasons.is_empty() { "no sensor of power or energy on this machine".into() } else { reasons.join("; ") };
    Energy::Unavailable { reason }
}

/// Whether a refusal is of power or energy, or of a sensor as a whole that would have had them.
fn gives_energy(channel: &spark_results::telemetry::Channel) -> bool {
    match channel.quantity.as_deref() {
        // What was not found at all is named where most machines have it; what was found and refused is named always.
        None | Some("power" | "energy") => {
            channel.scope.is_some() || matches!(channel.name.as_str(), "rapl" | "nvml" | "hwmon" | "emi")
        }
        Some(_) => false,
    }
}

/// What every sensor says of `windows`.
fn found(header: &Header, samples: &[Sample], windows: &[[u64; 2]]) -> Vec<Found> {
    let Some(zero_ns) = windows.first().map(|w| w[0]) else { return Vec::new() };
    let seconds = |ns: u64| ns.saturating_sub(zero_ns) as f64 * 1e-9;
    let windows: Vec<(f64, f64)> = windows.iter().map(|w| (seconds(w[0]), seconds(w[1]))).collect();
    series::pairs(header, samples, zero_ns).iter().flat_map(|pair| of_pair(pair, &windows)).collect()
}

/// One sensor in one scope: by its counter where that is good, else by its power; and what was found wrong on the way.
fn of_pair(pair: &Pair, windows: &[(f64, f64)]) -> Vec<Found> {
    let powers = pair.power.as_ref().map_or(&[][..], |p| &p.points);
    let by_counter = pair.energy.as_ref().map(|s| (s, together(windows, |a, b| counted::counted(s, powers, a, b))));
    let by_power = pair.power.as_ref().map(|s| (s, together(windows, |a, b| integrated::integrated(s, a, b))));
    let one = |s: &series::Stream, method, estimate: &Result<Estimate, String>| Found {
        scope: s.scope.clone(),
        source: s.source.clone(),
        method,
        simulated: s.simulated,
        cross_check: None,
        estimate: estimate.clone(),
    };
    match (&by_counter, &by_power) {
        (Some((c, Ok(count))), Some((p, Ok(integral)))) => {
            let ratio = Some(count.joules / integral.joules).filter(|r| r.is_finite());
            let off = (count.joules - integral.joules).abs();
            let agrees = off <= AGREEMENT * count.joules.max(integral.joules) + count.half + integral.half;
            let too_wide = |e: &Estimate| e.half > LARGEST_UNCERTAINTY * e.joules;
            if agrees && (!too_wide(count) || too_wide(integral)) {
                return vec![Found { cross_check: ratio, ..one(c, Method::Counter, &Ok(*count)) }];
            }
            let mut list = vec![Found { cross_check: ratio, ..one(p, Method::Integral, &Ok(*integral)) }];
            if !agrees {
                let why = format!(
                    "its counter is {:.0} % off the integral of the power that the same sensor states",
                    off / integral.joules * 100.0
                );
                list.push(one(c, Method::Counter, &Err(why)));
            }
            list
        }
        // After a reset nothing of that sensor is believed: it was started anew in the middle of the window.
        (Some((c, Err(why))), Some(_)) if why.contains("reset") => vec![one(c, Method::Counter, &Err(why.clone()))],
        (Some((c, bad @ Err(_))), Some((p, good @ Ok(_)))) => {
            vec![one(p, Method::Integral, good), one(c, Method::Counter, bad)]
        }
        (Some((c, good @ Ok(_))), Some((p, bad @ Err(_)))) => {
            vec![one(c, Method::Counter, good), one(p, Method::Integral, bad)]
        }
        (counter, power) => {
            let counter = counter.as_ref().map(|(s, e)| one(s, Method::Counter, e));
            counter.into_iter().chain(power.as_ref().map(|(s, e)| one(s, Method::Integral, e))).collect()
        }
    }
}

/// All windows as one: joules add up, and so do the squares of what is uncertain. How much the windows differ among each other is
/// uncertain too, since a sensor that sleeps saw another part of the work in each.
fn together(
    windows: &[(f64, f64)],
    mut of: impl FnMut(f64, f64) -> Result<Estimate, String>,
) -> Result<Estimate, String> {
    let each: Vec<(Estimate, f64)> =
        windows.iter().map(|&(a, b)| Ok((of(a, b)?, b - a))).collect::<Result<_, String>>()?;
    let (Some((first, _)), n) = (each.first(), each.len() as f64) else { return Err("no window was measured".into()) };
    let joules: f64 = each.iter().map(|(e, _)| e.joules).sum();
    let seconds: f64 = each.iter().map(|(_, s)| s).sum();
    let own = each.iter().map(|(e, _)| e.half * e.half).sum::<f64>().sqrt();
    let spread = if each.len() < 3 {
        0.0
    } else {
        let mean = joules / seconds;
        let variance = each.iter().map(|(e, s)| (e.joules / s - mean).powi(2)).sum::<f64>() / (n - 1.0);
        // Student's factor for the few windows there are: 4.3 for three, near 2.3 for nine.
        (1.96 + 4.7 / (n - 1.0)) * (variance / n).sqrt() * seconds
    };
    Ok(Estimate {
        joules,
        half: own.max(spread),
        peak_w: each.iter().filter_map(|(e, _)| e.peak_w).reduce(f64::max),
        coverage: each.iter().map(|(e, s)| e.coverage * s).sum::<f64>() / seconds,
        ..*first
    })
}

/// What is uncertain because the sensor looks only at a share `duty` of the time: the mean of as many looks as there were, each of
/// which stands for what it did not see.
fn sleeping(held: &[(f64, f64)], duty: Option<f64>, swing: f64) -> f64 {
    let Some(duty) = duty.filter(|d| *d < 1.0) else { return 0.0 };
    let seconds: f64 = held.iter().map(|(_, s)| s).sum();
    if held.is_empty() || seconds <= 0.0 {
        return 0.0;
    }
    let mean = held.iter().map(|(w, s)| w * s).sum::<f64>() / seconds;
    let variance = held.iter().map(|(w, s)| (w - mean).powi(2) * s).sum::<f64>() / seconds;
    let n = held.len() as f64;
    // Few looks may all have missed the same thing: then the whole swing is possible.
    let unseen = if n < 4.0 { swing / 2.0 } else { 2.0 * (variance / n).sqrt() };
    unseen * (1.0 - duty) * seconds
}

/// The sum over sockets: of `cpu 0`, `cpu 1` … of one sensor, where all that were announced have spoken, makes `cpu`.
fn sockets(header: &Header, found: &[Found]) -> Vec<Found> {
    let mut sums = Vec::new();
    for kind in ["cpu", "module"] {
        let numbered = |s: &str| scope::numbered(s, kind).is_some();
        let announced: BTreeSet<(&str, &str)> = header
            .sensors
            .iter()
            .filter(|c| matches!(c.quantity.as_deref(), Some("power" | "energy")))
            .filter_map(|c| Some((c.name.as_str(), c.scope.as_deref().filter(|s| numbered(s))?)))
            .collect();
        let sensors: BTreeSet<&str> = announced.iter().map(|(name, _)| *name).collect();
        for sensor in sensors {
            let own = |f: &&Found| {
                header.sensors.iter().any(|c| c.name == sensor && c.source.as_deref() == Some(f.source.as_str()))
            };
            let parts: Vec<&Found> =
                found.iter().filter(|f| numbered(&f.scope) && f.estimate.is_ok()).filter(own).collect();
            let wanted = announced.iter().filter(|(name, _)| *name == sensor).count();
            let whole: Result<Vec<Estimate>, String> = parts.iter().map(|f| f.estimate.clone()).collect();
            let (Ok(estimates), true, Some(first)) = (whole, parts.len() == wanted && wanted > 1, parts.first()) else {
                continue;
            };
            sums.push(Found {
                scope: kind.to_owned(),
                source: parts.iter().map(|f| f.source.as_str()).collect::<Vec<_>>().join(" + "),
                method: first.method,
                simulated: first.simulated,
                cross_check: None,
                estimate: Ok(Estimate {
                    joules: estimates.iter().map(|e| e.joules).sum(),
                    half: estimates.iter().map(|e| e.half * e.half).sum::<f64>().sqrt(),
                    update_s: estimates[0].update_s,
                    coverage: estimates.iter().map(|e| e.coverage).fold(1.0, f64::min),
                    peak_w: None,
                }),
            });
        }
    }
    sums
}

#[cfg(test)]
mod tests;
