//! What sensors' readings say of a machine's state.

use crate::throttled::{BY, EVENTS, REASONS};
use spark_results::conditions::{Band, HeldBack, State, Zone};
use spark_results::stats;
use spark_results::telemetry::Reading;
use std::collections::BTreeMap;

/// Adds to `state` what `readings`, oldest first, say of memory, temperatures, clocks and being held back.
pub(super) fn into(state: &mut State, readings: &[Reading]) {
    let mut zones: BTreeMap<&str, f64> = BTreeMap::new();
    let mut clocks: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut held: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for r in readings.iter().filter(|r| r.value.is_finite()) {
        let scope = r.scope.as_str();
        match r.quantity.as_str() {
            "available" if scope == "memory" => state.available_bytes = Some(r.value as u64),
            "temperature" => {
                let hottest = zones.entry(scope).or_insert(r.value);
                *hottest = hottest.max(r.value);
            }
            "clock" | "frequency" => clocks.entry(scope).or_default().push(r.value),
            REASONS => {
                let seen = held.entry((scope, REASONS)).or_default();
                *seen = (*seen as u64 | r.value as u64) as f64;
            }
            counter if counter == EVENTS || counter.starts_with(BY) => drop(held.insert((scope, counter), r.value)),
            _ => {}
        }
    }
    state.temperature_c = zones.iter().filter(|(scope, _)| !scope.starts_with("gpu")).map(|(_, c)| *c).reduce(f64::max);
    state.zones = zones.into_iter().map(|(name, celsius)| Zone { name: name.to_owned(), celsius }).collect();
    let band = |(scope, hz): (&str, Vec<f64>)| {
        let hz = stats::sorted(&hz);
        Band { scope: scope.to_owned(), low_hz: hz[0], median_hz: stats::quantile(&hz, 0.5), high_hz: hz[hz.len() - 1] }
    };
    state.clocks = clocks.into_iter().map(band).collect();
    let of = |((scope, quantity), value): ((&str, &str), f64)| HeldBack {
        scope: scope.to_owned(),
        quantity: quantity.to_owned(),
        value,
    };
    state.held_back = held.into_iter().map(of).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(quantity: &str, scope: &str, value: f64) -> Reading {
        let of = |text: &str| text.to_owned();
        Reading { quantity: of(quantity), scope: of(scope), source: of("test"), value, unit: of("") }
    }

    #[test]
    fn readings_become_bands_hottest_zones_and_all_bits_that_were_seen() {
        let readings = [
            reading("clock", "gpu 0", 2.4e9),
            reading("clock", "gpu 0", 0.8e9),
            reading("clock", "gpu 0", 2.2e9),
            reading("temperature", "acpitz 1", 60.0),
            reading("temperature", "acpitz 1", 71.0),
            reading("temperature", "acpitz 1", 65.0),
            reading("temperature", "gpu 0", 90.0),
            reading("throttle_reasons", "gpu 0", 4.0),
            reading("throttle_reasons", "gpu 0", 32.0),
            reading("throttle_events", "cpu", 7.0),
            reading("available", "memory", 5.0),
        ];
        let mut state = State::default();
        into(&mut state, &readings);
        let band = &state.clocks[0];
        assert_eq!((band.low_hz, band.median_hz, band.high_hz), (0.8e9, 2.2e9, 2.4e9));
        assert_eq!(state.temperature_c, Some(71.0), "of the processor: a GPU has its own");
        assert_eq!(state.zones.iter().map(|z| z.celsius).collect::<Vec<_>>(), [71.0, 90.0]);
        let held: Vec<_> = state.held_back.iter().map(|h| (h.quantity.as_str(), h.value)).collect();
        assert_eq!(held, [("throttle_events", 7.0), ("throttle_reasons", 36.0)]);
        assert_eq!(state.available_bytes, Some(5));
        let mut nothing = State::default();
        into(&mut nothing, &[]);
        assert_eq!(nothing, State::default());
    }
}
