//! The sensors: each one asked once what it can give, then read through a run; a refused quantity is absent, never 0.

mod cpu;
mod cpufreq;
mod hwmon;
mod memory;
mod nvml;
mod rapl;
mod sampler;
mod thermal;

pub use cpu::{Shares, Ticks};
pub use sampler::{Cost, Sampler};

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading, Status};

use crate::os::SysRoot;

/// A place that numbers about the machine's state come from.
pub trait Sensor: Send {
    /// Its name, such as `rapl`.
    fn name(&self) -> &'static str;
    /// Finds out what it can give: an entry for each quantity and scope, with the reason where one is refused; never empty.
    /// To be called once, before the first `read`.
    fn probe(&mut self) -> Vec<Channel>;
    /// The numbers of now, of the channels that [`Sensor::probe`] found; one that fails this time is left out.
    fn read(&mut self) -> Vec<Reading>;
    /// How often it is worth reading.
    fn period(&self) -> Duration;
}

/// Every sensor there is, in the order of the header.
#[must_use]
pub fn sensors(root: &SysRoot) -> Vec<Box<dyn Sensor>> {
    vec![
        Box::new(cpu::Load::new(root)),
        Box::new(memory::Available::new(root)),
        Box::new(cpufreq::Clocks::new(root)),
        Box::new(thermal::Zones::new(root)),
        Box::new(hwmon::Chips::new(root)),
        Box::new(rapl::Energy::new(root)),
        Box::new(nvml::Gpus::new(root)),
    ]
}

/// A number to be read again and again: what it is of, where it is, how it is scaled.
#[derive(Debug, Clone)]
struct Probe {
    quantity: &'static str,
    scope: String,
    /// The file's path, which is also the source that is named.
    path: String,
    unit: &'static str,
    /// The file's integer times this is the value in `unit`.
    scale: f64,
}

impl Probe {
    /// This quantity as a header line, or the reason why it cannot be read now.
    fn channel(&self, root: &SysRoot, name: &str, period: Duration) -> Channel {
        match root.value::<i64>(&self.path) {
            Ok(_) => channel(name, self.quantity, &self.scope, &self.path, self.unit, period),
            Err(why) => Channel {
                scope: Some(self.scope.clone()),
                ..Channel::refused(name, Some(self.quantity), Some(&self.path), why)
            },
        }
    }

    fn read(&self, root: &SysRoot) -> Option<Reading> {
        root.value::<i64>(&self.path).ok().map(|raw| self.reading(raw as f64 * self.scale))
    }

    fn reading(&self, value: f64) -> Reading {
        reading(self.quantity, &self.scope, &self.path, value, self.unit)
    }
}

/// Turns what could be probed into channels and keeps the probes that answer.
fn keep_answering(root: &SysRoot, name: &'static str, period: Duration, probes: &mut Vec<Probe>) -> Vec<Channel> {
    let channels: Vec<Channel> = probes.iter().map(|p| p.channel(root, name, period)).collect();
    let mut answers = channels.iter().map(|c| c.status == Status::Ok);
    probes.retain(|_| answers.next().unwrap_or(false));
    channels
}

fn channel(name: &str, quantity: &str, scope: &str, source: &str, unit: &str, period: Duration) -> Channel {
    Channel {
        name: name.to_owned(),
        quantity: Some(quantity.to_owned()),
        status: Status::Ok,
        reason: None,
        source: Some(source.to_owned()),
        scope: Some(scope.to_owned()),
        unit: Some(unit.to_owned()),
        period_ms: u64::try_from(period.as_millis()).ok(),
    }
}

fn reading(quantity: &str, scope: &str, source: &str, value: f64, unit: &str) -> Reading {
    Reading {
        quantity: quantity.to_owned(),
        scope: scope.to_owned(),
        source: source.to_owned(),
        value,
        unit: unit.to_owned(),
    }
}
