//! Numbers in files of the kernel, to be read again and again.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading, Status};

use crate::os::SysRoot;

use super::counter::Counter;
use super::{Sensor, channel, reading};

/// A number to be read again and again: what it is of, where it is, how it is scaled.
#[derive(Debug, Clone, Default)]
pub(super) struct Probe {
    pub(super) quantity: &'static str,
    pub(super) scope: String,
    /// The file's path, which is also the source that is named.
    pub(super) path: String,
    pub(super) unit: &'static str,
    /// The file's integer times this is the value in `unit`.
    pub(super) scale: f64,
    /// A second file, whose integer the first is multiplied by: volts beside amperes.
    pub(super) times: Option<String>,
    /// For a counter: the highest value before it starts again at 0, where that is known.
    pub(super) counts_to: Option<Option<u64>>,
    /// Milliseconds that the sensor averages over.
    pub(super) averages_ms: Option<f64>,
    /// Milliseconds between two updates, as its maker states them.
    pub(super) updates_ms: Option<f64>,
}

impl Probe {
    /// What the file holds now, scaled, but not unwrapped.
    fn raw(&self, root: &SysRoot) -> Result<i64, String> {
        root.value::<i64>(&self.path)
    }

    fn value(&self, root: &SysRoot) -> Result<f64, String> {
        let factor = match &self.times {
            Some(other) => root.value::<i64>(other)? as f64,
            None => 1.0,
        };
        Ok(self.raw(root)? as f64 * factor * self.scale)
    }

    /// This quantity as a header line, or the reason why it cannot be read now.
    fn channel(&self, root: &SysRoot, name: &str, period: Duration) -> Channel {
        match self.value(root) {
            Ok(_) => Channel {
                averages_ms: self.averages_ms,
                updates_ms: self.updates_ms,
                ..channel(name, self.quantity, &self.scope, &self.path, self.unit, period)
            },
            Err(why) => Channel {
                scope: Some(self.scope.clone()),
                ..Channel::refused(name, Some(self.quantity), Some(&self.path), why)
            },
        }
    }
}

/// The files of one sensor that answered when it was asked.
#[derive(Debug, Default)]
pub(super) struct Probes {
    answering: Vec<(Probe, Option<Counter>)>,
    trouble: Option<String>,
}

impl Probes {
    /// Asks each of `probes` once: the channels, of which those that answered are kept.
    pub(super) fn ask(
        &mut self,
        root: &SysRoot,
        name: &'static str,
        period: Duration,
        probes: Vec<Probe>,
    ) -> Vec<Channel> {
        let mut channels = Vec::new();
        for probe in probes {
            let channel = probe.channel(root, name, period);
            if channel.status == Status::Ok {
                let counter = probe.counts_to.map(|range| {
                    let mut counter = Counter::up_to(range);
                    if let Ok(first) = root.value(&probe.path) {
                        counter.take(first);
                    }
                    counter
                });
                self.answering.push((probe, counter));
            }
            channels.push(channel);
        }
        channels
    }

    /// The numbers of now.
    pub(super) fn read(&mut self, root: &SysRoot) -> Vec<Reading> {
        let mut readings = Vec::with_capacity(self.answering.len());
        for (probe, counter) in &mut self.answering {
            let value = match counter {
                Some(counter) => probe.raw(root).and_then(|raw| match u64::try_from(raw) {
                    Ok(raw) => Ok(counter.take(raw) as f64 * probe.scale),
                    Err(_) => Err(format!("{}: not understood: {raw} is below 0", probe.path)),
                }),
                None => probe.value(root),
            };
            match value {
                Ok(value) => readings.push(reading(probe.quantity, &probe.scope, &probe.path, value, probe.unit)),
                Err(why) => self.trouble = Some(why),
            }
            if let Some(counter) = counter
                && counter.reset()
            {
                self.trouble = Some(format!("{}: the counter was reset", probe.path));
            }
        }
        readings
    }

    /// Why a number was left out of the last reading.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }
}

/// A sensor that is nothing but numbers in files, which one walk through the kernel's folders finds.
pub(super) struct Files {
    pub(super) name: &'static str,
    pub(super) root: SysRoot,
    pub(super) period: Duration,
    /// The quantity and the folder that are named where there is none.
    pub(super) quantity: &'static str,
    pub(super) folder: &'static str,
    /// Why there is none then.
    pub(super) none: &'static str,
    pub(super) walk: fn(&SysRoot) -> Vec<Probe>,
    pub(super) probes: Probes,
}

impl Sensor for Files {
    fn name(&self) -> &'static str {
        self.name
    }

    fn probe(&mut self) -> Vec<Channel> {
        let found = (self.walk)(&self.root);
        if found.is_empty() {
            return vec![Channel::refused(self.name, Some(self.quantity), Some(self.folder), self.none)];
        }
        self.probes.ask(&self.root, self.name, self.period, found)
    }

    fn read(&mut self) -> Vec<Reading> {
        self.probes.read(&self.root)
    }

    fn period(&self) -> Duration {
        self.period
    }

    fn trouble(&mut self) -> Option<String> {
        self.probes.trouble()
    }
}
