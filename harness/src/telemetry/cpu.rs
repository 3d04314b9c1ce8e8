//! CPU load and steal over all processors, from /proc/stat, or from `sysinfo` where there is none.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::{Sensor, channel, reading};

const SOURCE: &str = "/proc/stat";

/// The first line of /proc/stat: time of all processors together, in ticks, since the start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    idle: u64,
    steal: u64,
    total: u64,
}

/// What the processors did between two readings, as shares of all their time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Neither idle nor waiting for a disk; 1 is all processors busy.
    pub busy: f64,
    /// Taken by the hypervisor for somebody else.
    pub steal: f64,
}

impl Ticks {
    /// The ticks of now.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn now(root: &SysRoot) -> Result<Self, String> {
        Self::parse(&root.text(SOURCE)?).ok_or_else(|| format!("{SOURCE}: no line of all processors"))
    }

    /// Reads `cpu user nice system idle iowait irq softirq steal guest guest_nice`; guests are already in user and nice.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<u64> = text
            .lines()
            .find_map(|l| l.strip_prefix("cpu "))?
            .split_whitespace()
            .map_while(|f| f.parse().ok())
            .collect();
        let at = |i: usize| fields.get(i).copied().unwrap_or(0);
        let total = fields.iter().take(8).fold(0u64, |a, b| a.saturating_add(*b));
        (fields.len() >= 4).then(|| Self { idle: at(3).saturating_add(at(4)), steal: at(7), total })
    }

    /// The shares since `before`; `None` when no tick has passed.
    #[must_use]
    pub fn since(&self, before: &Self) -> Option<Shares> {
        let total = self.total.checked_sub(before.total).filter(|t| *t > 0)? as f64;
        // Kernels let idle time go back by a tick now and then.
        let share = |now: u64, then: u64| (now.saturating_sub(then) as f64 / total).min(1.0);
        let steal = share(self.steal, before.steal);
        Some(Shares { busy: (1.0 - share(self.idle, before.idle) - steal).max(0.0), steal })
    }
}

/// The load of the whole machine since the last reading.
pub(super) struct Load {
    root: SysRoot,
    from: From,
}

enum From {
    Nothing,
    Stat(Ticks),
    Sysinfo(Box<sysinfo::System>),
}

impl Load {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), from: From::Nothing }
    }
}

impl Sensor for Load {
    fn name(&self) -> &'static str {
        "cpu load"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let why = match Ticks::now(&self.root) {
            Ok(ticks) => {
                self.from = From::Stat(ticks);
                return vec![
                    channel(self.name(), "load", "cpu", SOURCE, "1", self.period()),
                    channel(self.name(), "steal", "cpu", SOURCE, "1", self.period()),
                ];
            }
            Err(why) => why,
        };
        if !self.root.is_live() || cfg!(target_os = "linux") {
            return vec![Channel::refused(self.name(), Some("load"), Some(SOURCE), why)];
        }
        match crate::os::cpu_load_is_safe().and_then(|()| sysinfo::System::new().map_err(|e| e.to_string())) {
            Ok(mut system) => {
                system.refresh_cpu_usage();
                self.from = From::Sysinfo(Box::new(system));
                let steal = format!("{} does not tell what its hypervisor takes", std::env::consts::OS);
                vec![
                    channel(self.name(), "load", "cpu", "sysinfo", "1", self.period()),
                    Channel::refused(self.name(), Some("steal"), Some("sysinfo"), steal),
                ]
            }
            Err(why) => vec![Channel::refused(self.name(), Some("load"), Some("sysinfo"), why)],
        }
    }

    fn read(&mut self) -> Vec<Reading> {
        match &mut self.from {
            From::Nothing => Vec::new(),
            From::Stat(before) => {
                let Ok(now) = Ticks::now(&self.root) else {
                    return Vec::new();
                };
                // Without a tick in between the old mark stays, so that the next reading covers this time too.
                let Some(shares) = now.since(before) else {
                    return Vec::new();
                };
                *before = now;
                vec![
                    reading("load", "cpu", SOURCE, shares.busy, "1"),
                    reading("steal", "cpu", SOURCE, shares.steal, "1"),
                ]
            }
            From::Sysinfo(system) => {
                system.refresh_cpu_usage();
                vec![reading("load", "cpu", "sysinfo", f64::from(system.global_cpu_usage()) / 100.0, "1")]
            }
        }
    }

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_time_between() {
        let a = Ticks::parse("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n").unwrap();
        let b = Ticks::parse("cpu  150 0 100 820 10 0 0 20 50 0\n").unwrap();
        let s = b.since(&a).unwrap();
        assert!((s.busy - 0.5).abs() < 1e-12 && (s.steal - 0.2).abs() < 1e-12, "{s:?}");
        assert_eq!(a.since(&a), None);
        assert_eq!(a.since(&b), None);
        assert_eq!(Ticks::parse("cpu  1 2\n"), None);
        assert_eq!(Ticks::parse("intr 5\n"), None);
    }
}
