//! Memory that a new program could get, and swap in use.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::detect::meminfo;
use crate::os::SysRoot;

use super::{Sensor, channel, reading};

const SOURCE: &str = "/proc/meminfo";

pub(super) struct Available {
    root: SysRoot,
    system: Option<sysinfo::System>,
}

impl Available {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), system: None }
    }

    fn source(&self) -> &'static str {
        if self.system.is_some() { "sysinfo" } else { SOURCE }
    }

    /// Available and used swap, in bytes, each if it is known.
    fn now(&mut self) -> Result<[Option<u64>; 2], String> {
        if let Some(system) = &mut self.system {
            system.refresh_memory();
            return Ok([Some(system.available_memory()).filter(|n| *n > 0), Some(system.used_swap())]);
        }
        let text = self.root.text(SOURCE)?;
        let swap =
            meminfo(&text, "SwapTotal").zip(meminfo(&text, "SwapFree")).map(|(total, free)| total.saturating_sub(free));
        Ok([meminfo(&text, "MemAvailable"), swap])
    }
}

const QUANTITIES: [(&str, &str); 2] = [("available", "memory"), ("used", "swap")];

impl Sensor for Available {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn probe(&mut self) -> Vec<Channel> {
        if self.root.is_live() && !cfg!(target_os = "linux") {
            self.system = sysinfo::System::new().ok();
        }
        let now = self.now();
        let one = |(i, (quantity, scope)): (usize, (&str, &str))| match &now {
            Ok(values) if values[i].is_some() => {
                channel(self.name(), quantity, scope, self.source(), "B", self.period())
            }
            Ok(_) => Channel::refused(self.name(), Some(quantity), Some(self.source()), "not told"),
            Err(why) => Channel::refused(self.name(), Some(quantity), Some(self.source()), why),
        };
        QUANTITIES.into_iter().enumerate().map(one).collect()
    }

    fn read(&mut self) -> Vec<Reading> {
        let values = self.now().unwrap_or_default();
        let source = self.source();
        QUANTITIES
            .into_iter()
            .zip(values)
            .filter_map(|((quantity, scope), v)| Some(reading(quantity, scope, source, v? as f64, "B")))
            .collect()
    }

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }
}
