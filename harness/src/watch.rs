//! What else the machine did meanwhile: load of others, steal, memory, temperature, throttling.

mod told;

use crate::detect::power_source;
use crate::os::SysRoot;
use crate::telemetry::{Sampler, Ticks, throttle_counters};
use spark_results::conditions::{State, Throttling};
use spark_results::telemetry::Reading;
use std::time::Instant;

/// Compares the machine with how it was when last asked.
#[derive(Debug)]
pub struct Watch {
    root: SysRoot,
    ticks: Option<Ticks>,
    own_s: Option<f64>,
    at: Instant,
    throttles: Result<u64, String>,
    boot_id: Option<String>,
}

impl Watch {
    /// Starts watching.
    pub fn start(root: &SysRoot) -> Self {
        Self {
            root: root.clone(),
            ticks: Ticks::now(root).ok(),
            own_s: own_cpu_s(),
            at: Instant::now(),
            throttles: throttles(root),
            boot_id: root.line("/proc/sys/kernel/random/boot_id").ok(),
        }
    }
    /// The machine's state since the last call; temperatures come from what `sampler` read up to `now_ns`.
    pub fn state(&mut self, sampler: Option<&Sampler>, now_ns: u64) -> State {
        let mut state = State::default();
        let (ticks, own_s, wall) = (Ticks::now(&self.root).ok(), own_cpu_s(), self.at.elapsed().as_secs_f64());
        if let (Some(before), Some(now)) = (&self.ticks, &ticks)
            && let Some(shares) = now.since(before)
        {
            state.steal = Some(shares.steal);
            let cpus = std::thread::available_parallelism().map_or(1, usize::from) as f64;
            if let (Some(before), Some(after)) = (self.own_s, own_s)
                && wall > 0.0
            {
                // What this process used itself is not a disturbance.
                state.load = Some((shares.busy - (after - before) / (wall * cpus)).clamp(0.0, 1.0));
            }
        }
        // The kernel's ticks are 10 ms: a window too short to hold a few says nothing, and is left open.
        if wall > 0.1 {
            (self.ticks, self.own_s, self.at) = (ticks, own_s, Instant::now());
        }
        let second = 1_000_000_000;
        told::into(&mut state, &recent(sampler, now_ns.saturating_sub(2 * second), now_ns));
        state.power_source = power_source(&self.root);
        state.boot_id.clone_from(&self.boot_id);
        state
    }
    /// What the sensors said between two moments: clocks and temperatures over all of it.
    pub fn during(&self, sampler: Option<&Sampler>, from_ns: u64, to_ns: u64) -> State {
        let mut state = State::default();
        told::into(&mut state, &recent(sampler, from_ns, to_ns));
        state.available_bytes = None;
        state
    }
    /// Whether the processor was held back since the last call.
    pub fn throttling(&mut self) -> Throttling {
        let now = throttles(&self.root);
        let before = std::mem::replace(&mut self.throttles, now.clone());
        match (before, now) {
            (Ok(before), Ok(now)) => {
                Throttling::Known { throttled: now > before, source: "thermal_throttle counters of the kernel".into() }
            }
            (_, Err(reason)) | (Err(reason), _) => Throttling::Unavailable { reason },
        }
    }
}

/// What the sampler read between two moments, oldest first.
pub fn recent(sampler: Option<&Sampler>, from_ns: u64, to_ns: u64) -> Vec<Reading> {
    sampler.map(|s| s.between(from_ns, to_ns)).unwrap_or_default().into_iter().flat_map(|s| s.readings).collect()
}

/// CPU time of this process so far, in seconds, in the kernel's ticks of 10 ms as the load is. `None` where there is no /proc.
fn own_cpu_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields 14 and 15, counted behind the program's name, which may hold spaces.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) as f64 / 100.0)
}

/// Throttling events counted so far by every core and package.
fn throttles(root: &SysRoot) -> Result<u64, String> {
    let paths = throttle_counters(root);
    let counts: Vec<u64> = paths.iter().filter_map(|path| root.value(path).ok()).collect();
    if counts.is_empty() {
        return Err("the system counts no throttling events (no thermal_throttle under /sys/devices/system/cpu)".into());
    }
    Ok(counts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn throttled(root: &Path, cpu: usize, core: u64, package: u64) {
        let folder = root.join(format!("sys/devices/system/cpu/cpu{cpu}/thermal_throttle"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("core_throttle_count"), format!("{core}\n")).unwrap();
        fs::write(folder.join("package_throttle_count"), format!("{package}\n")).unwrap();
    }

    #[test]
    fn throttling_is_what_was_counted_since_the_last_call() {
        let root = tempfile::tempdir().unwrap();
        throttled(root.path(), 0, 5, 0);
        throttled(root.path(), 1, 0, 0);
        let mut watch = Watch::start(&SysRoot::at(root.path()));
        let known = |throttling| match throttling {
            Throttling::Known { throttled, .. } => throttled,
            other => panic!("{other:?}"),
        };
        assert!(!known(watch.throttling()), "what was counted before the start is nobody's");
        throttled(root.path(), 1, 0, 1);
        assert!(known(watch.throttling()), "one event of one package is enough");
        assert!(!known(watch.throttling()), "and is told once");
    }

    #[test]
    fn a_system_that_counts_nothing_is_a_reason_and_no_false() {
        let root = tempfile::tempdir().unwrap();
        let mut watch = Watch::start(&SysRoot::at(root.path()));
        let Throttling::Unavailable { reason } = watch.throttling() else { panic!("nothing is counted there") };
        assert!(reason.contains("thermal_throttle"), "{reason}");
        // Counters that appear later have no beginning to compare with.
        throttled(root.path(), 0, 9, 9);
        assert!(matches!(watch.throttling(), Throttling::Unavailable { .. }));
        assert!(matches!(watch.throttling(), Throttling::Known { throttled: false, .. }));
    }

    #[test]
    fn a_state_without_sensors_has_no_temperature_and_no_memory() {
        let root = tempfile::tempdir().unwrap();
        let mut watch = Watch::start(&SysRoot::at(root.path()));
        let state = watch.state(None, 1);
        assert_eq!((state.temperature_c, state.available_bytes, state.steal), (None, None, None));
    }
}
