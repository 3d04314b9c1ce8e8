//! One look at every sensor, each in a thread of its own: one that hangs is named, left behind, and holds up nobody.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use spark_results::telemetry::{Channel, Reading};

use super::Sensor;
use super::keeper::{PANICKED, PROBING, silent};
use crate::pace::Pace;

/// What one sensor said.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The sensor's name.
    pub name: &'static str,
    /// What it has; of one that did not answer, that it did not.
    pub channels: Vec<Channel>,
    /// What it read.
    pub readings: Vec<Reading>,
    /// Whether it was asked and did not answer.
    pub silent: bool,
}

/// Asks all of `sensors` at once what they have, and for one reading each; none is waited for longer than the sampler would wait.
#[must_use]
pub fn look(sensors: Vec<Box<dyn Sensor>>, pace: Pace) -> Vec<Look> {
    let patience = pace.of(PROBING);
    let until = Instant::now() + patience;
    let asked: Vec<_> = sensors.into_iter().map(|sensor| (sensor.name(), ask(sensor))).collect();
    asked.into_iter().map(|(name, told)| one(name, &told, until, patience)).collect()
}

/// What is told first is what it has, then what it read.
type Told = Receiver<(Vec<Channel>, Option<Vec<Reading>>)>;

fn ask(mut sensor: Box<dyn Sensor>) -> Told {
    let (tell, told) = channel();
    // A thread that cannot be started drops its end, as one that panics does.
    let _ = std::thread::Builder::new().name(format!("look {}", sensor.name())).spawn(move || {
        let channels = sensor.probe();
        if tell.send((channels.clone(), None)).is_ok() {
            let _ = tell.send((channels, Some(sensor.read())));
        }
    });
    told
}

fn one(name: &'static str, told: &Told, until: Instant, patience: Duration) -> Look {
    let mut look = Look { name, channels: Vec::new(), readings: Vec::new(), silent: false };
    loop {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok((channels, Some(readings))) => return Look { channels, readings, ..look },
            Ok((channels, None)) => look.channels = channels,
            Err(end) => {
                look.silent = end == RecvTimeoutError::Timeout;
                let why = if look.silent { silent(patience) } else { PANICKED.to_owned() };
                // What it has is of no use where it cannot be read.
                look.channels = vec![Channel::refused(name, None, None, why)];
                return look;
            }
        }
    }
}
