//! The powers of an Apple chip as macOS counts them (IOReport's energy model) and of the whole machine (the SMC's `PSTR`).

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use macmon::{Metrics, Sampler};
use spark_results::telemetry::{Channel, Reading};

use super::reading;
use super::soc::MEAN_MS;

/// A scope, the source as it is named, and the number.
type Power = (&'static str, &'static str, fn(&Metrics) -> f32);

const POWERS: &[Power] = &[
    ("cpu", "ioreport CPU Energy", |m| m.cpu_power),
    ("gpu 0", "ioreport GPU Energy", |m| m.gpu_power),
    ("rail ane", "ioreport ANE", |m| m.ane_power),
    ("rail dram", "ioreport DRAM", |m| m.ram_power),
    ("sys_total", "smc PSTR", |m| m.sys_power),
];

/// The thread that asks: what it asks with may not leave it.
pub(super) struct Apple(Receiver<Metrics>);

impl Apple {
    /// Starts asking; the channels are those that said more than 0 at first.
    pub(super) fn start(period: Duration) -> Result<(Self, Vec<Channel>), &'static str> {
        let (send, metrics) = channel();
        let ask = move || {
            let Ok(mut sampler) = Sampler::new() else { return };
            // Ends when nobody listens any more.
            while sampler.get_metrics(MEAN_MS).is_ok_and(|m| send.send(m).is_ok()) {}
        };
        let begun = std::thread::Builder::new().name("ioreport".to_owned()).spawn(ask);
        begun.map_err(|_| "no thread could be started to ask with")?;
        let first = metrics.recv_timeout(Duration::from_secs(8));
        let first = first.map_err(|_| "the system did not answer (an Intel Mac, or a virtual machine)")?;
        let channels = POWERS
            .iter()
            .map(|(scope, source, value)| match value(&first) {
                // An idle engine truly takes nothing; a processor that answers does not.
                watts if watts > 0.0 => Channel {
                    averages_ms: Some(f64::from(MEAN_MS)),
                    ..super::channel("ioreport", "power", scope, source, "W", period)
                },
                _ => Channel {
                    scope: Some((*scope).to_owned()),
                    ..Channel::refused("ioreport", Some("power"), Some(source), "0 W was said, which is no measurement")
                },
            })
            .collect();
        Ok((Self(metrics), channels))
    }

    /// What was said since the last call; a number of 0 is a counter that stalls, and left out.
    pub(super) fn newest(&self) -> Vec<Reading> {
        let Some(metrics) = self.0.try_iter().last() else { return Vec::new() };
        let powers = POWERS.iter().map(|(scope, source, value)| (scope, source, f64::from(value(&metrics))));
        powers.filter(|(_, _, w)| *w > 0.0).map(|(scope, source, w)| reading("power", scope, source, w, "W")).collect()
    }
}
