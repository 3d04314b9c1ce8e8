//! Samples taken while the machine was held back: found by what the sensors said, dropped, and counted.

use spark_results::record::Dropped;
use spark_results::telemetry::{Reading, Sample};
use std::collections::BTreeMap;

/// Reasons for which NVIDIA's driver lowers clocks that mean something is wrong: hardware slowdown, software and hardware thermal,
/// power brake. Idle, application clocks, sync boost and display are no fault.
pub(crate) const HELD_BACK: u64 = 0x8 | 0x20 | 0x40 | 0x80;
/// The software power cap: how a GPU under full load normally runs, and so a reason but no fault.
pub(crate) const POWER_CAP: u64 = 0x4;
/// Events of the kernel's own counters.
pub(crate) const EVENTS: &str = "throttle_events";
/// What counters of time held back are called: `throttled by heat (software)`.
pub(crate) const BY: &str = "throttled by ";
/// The bits in force.
pub(crate) const REASONS: &str = "throttle_reasons";
/// With fewer left, nothing would be known.
const FEWEST: usize = 3;

/// A time in which a device was held back, in nanoseconds since the run's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
    pub(crate) why: String,
}

/// Whether `quantity` counts being held back for a fault: it only grows.
pub(crate) fn counts(quantity: &str) -> bool {
    quantity == EVENTS || quantity.strip_prefix(BY).is_some_and(|by| by != "power")
}

/// Whether a reading of `scope` tells of `device`.
pub(crate) fn concerns(scope: &str, device: &str) -> bool {
    match device.split_once(':') {
        Some(("cuda", index)) => scope == format!("gpu {index}") || scope.starts_with("module"),
        _ => !scope.starts_with("gpu"),
    }
}

/// When `device` was held back. A counter that grew did so at some time since it was read before; bits were in force at least since
/// the reading before, as far as anybody knows.
pub(crate) fn spans(samples: &[Sample], device: &str) -> Vec<Span> {
    let mut before: BTreeMap<(&str, &str, &str), (u64, f64)> = BTreeMap::new();
    let mut spans: Vec<Span> = Vec::new();
    for sample in samples {
        let told = |r: &&Reading| counts(&r.quantity) || r.quantity == REASONS;
        for r in sample.readings.iter().filter(told).filter(|r| concerns(&r.scope, device)) {
            let last = before.insert((&r.quantity, &r.scope, &r.source), (sample.t_ns, r.value));
            let from_ns = last.map_or(sample.t_ns, |(at, _)| at);
            let why = if r.quantity == REASONS {
                let bits = r.value as u64 & HELD_BACK;
                (bits != 0).then(|| format!("{} was held back: {}", r.scope, reasons(bits).join(" and ")))
            } else {
                let grew = last.is_some_and(|(_, value)| r.value > value);
                grew.then(|| format!("{} was held back: its counter of {} grew", r.scope, r.quantity))
            };
            spans.extend(why.map(|why| Span { from_ns, to_ns: sample.t_ns, why }));
        }
    }
    spans
}

/// The bits in words.
pub(crate) fn reasons(bits: u64) -> Vec<&'static str> {
    const WORDS: [(u64, &str); 5] = [
        (0x4, "power cap"),
        (0x8, "hardware slowdown"),
        (0x20, "heat (software)"),
        (0x40, "heat (hardware)"),
        (0x80, "power brake"),
    ];
    WORDS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| *word).collect()
}

/// Takes the samples out of `ns`, begun at `at_ns`, that touch one of `spans`. Where too few would be left, all stay, and the note
/// that is returned says so.
pub(crate) fn drop(ns: &mut Vec<u64>, at_ns: &mut Vec<u64>, spans: &[Span]) -> (Vec<Dropped>, Option<String>) {
    if at_ns.len() != ns.len() {
        return (Vec::new(), None);
    }
    let touched = |at: u64, ns: u64| spans.iter().find(|s| at <= s.to_ns && at.saturating_add(ns) >= s.from_ns);
    let found: Vec<Option<&Span>> = at_ns.iter().zip(&*ns).map(|(at, ns)| touched(*at, *ns)).collect();
    let held = found.iter().flatten().count();
    if held > 0 && ns.len() - held < FEWEST {
        let why = found.iter().flatten().next().map(|s| s.why.as_str()).unwrap_or_default();
        let note =
            format!("{held} of {} samples were taken while {why}; too few others to go by, so all count", ns.len());
        return (Vec::new(), Some(note));
    }
    let (mut kept_ns, mut kept_at, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
    for ((at, ns), span) in at_ns.iter().zip(&*ns).zip(&found) {
        match span {
            Some(span) => dropped.push(Dropped { at_ns: *at, ns: *ns, why: span.why.clone() }),
            None => {
                kept_at.push(*at);
                kept_ns.push(*ns);
            }
        }
    }
    (*ns, *at_ns) = (kept_ns, kept_at);
    (dropped, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(t_ns: u64, quantity: &str, scope: &str, value: f64) -> Sample {
        let of = |text: &str| text.to_owned();
        let reading = Reading { quantity: of(quantity), scope: of(scope), source: of("test"), value, unit: of("1") };
        Sample { t_ns, readings: vec![reading], ..Sample::default() }
    }

    #[test]
    fn a_sample_that_touches_a_throttled_span_is_dropped_and_told() {
        let samples: Vec<_> =
            [(0, 5.0), (100, 5.0), (200, 6.0), (300, 6.0)].map(|(t, v)| sample(t, "throttle_events", "cpu", v)).into();
        let spans = spans(&samples, "cpu");
        assert_eq!(spans.iter().map(|s| (s.from_ns, s.to_ns)).collect::<Vec<_>>(), [(100, 200)]);
        let (mut ns, mut at): (Vec<u64>, Vec<u64>) = (vec![30; 8], (0..8).map(|i| i * 40).collect());
        let (dropped, note) = drop(&mut ns, &mut at, &spans);
        assert_eq!(dropped.iter().map(|d| d.at_ns).collect::<Vec<_>>(), [80, 120, 160, 200], "80 + 30 reaches into it");
        assert_eq!((at, ns.len(), note), (vec![0, 40, 240, 280], 4, None));
        assert!(dropped[0].why.contains("cpu was held back"));
    }

    #[test]
    fn bits_in_force_count_and_those_that_are_no_fault_do_not() {
        let bits = |bits: u64| sample(10, REASONS, "gpu 0", bits as f64);
        assert!(spans(&[bits(0x1 | 0x2 | 0x10 | 0x100)], "cuda:0").is_empty());
        let held = spans(&[bits(0x1), sample(20, REASONS, "gpu 0", 36.0)], "cuda:0");
        assert_eq!(held.len(), 1);
        assert!(held[0].why.contains("heat (software)") && held[0].from_ns == 10, "{held:?}");
        assert!(spans(&[bits(POWER_CAP)], "cuda:0").is_empty(), "a cap is how it runs");
        let counted =
            |quantity: &str| spans(&[sample(1, quantity, "gpu 0", 1.0), sample(2, quantity, "gpu 0", 2.0)], "cuda:0");
        assert_eq!((counted("throttled by heat (hardware)").len(), counted("throttled by power").len()), (1, 0));
        assert!(spans(&[sample(20, REASONS, "gpu 0", 36.0)], "cuda:1").is_empty(), "another GPU's");
        assert!(spans(&[sample(20, REASONS, "gpu 0", 36.0)], "cpu").is_empty());
    }

    #[test]
    fn where_all_is_throttled_nothing_is_dropped_and_the_note_says_so() {
        let all = [Span { from_ns: 0, to_ns: 1000, why: "cpu was held back".into() }];
        let (mut ns, mut at) = (vec![10; 5], vec![0, 100, 200, 300, 400]);
        let (dropped, note) = drop(&mut ns, &mut at, &all);
        assert!(dropped.is_empty() && ns.len() == 5 && note.unwrap().starts_with("5 of 5 samples"));
        // Without times nothing can be said.
        assert_eq!(drop(&mut vec![1, 2], &mut Vec::new(), &all), (Vec::new(), None));
    }
}
