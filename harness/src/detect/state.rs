//! The machine's state now: what else runs on it, what is taken from it, how warm it is, what feeds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use spark_results::machine::{Absent, PowerSource, clean};
use spark_results::telemetry::{Channel, Reading, Status};

use crate::os::SysRoot;
use crate::pace::Pace;
use crate::telemetry::{self, Look, Shares, Ticks};

use super::known;

/// How many other processes are named.
const NAMED: usize = 5;

/// The state of a machine at one time; like [`spark_results::Machine`], what is unknown has its reason in `absent`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Processes that ran or wanted to, as an average over the last minute.
    pub load_1m: Option<f64>,
    /// Share of all processors' time that was used during the observation, 0 to 1.
    pub busy: Option<f64>,
    /// Share of all processors' time that the hypervisor gave to others, 0 to 1.
    pub steal: Option<f64>,
    /// Memory that a new program could get, in bytes.
    pub available_bytes: Option<u64>,
    /// Swap in use, in bytes.
    pub swap_used_bytes: Option<u64>,
    /// The busiest other processes, the busiest first, at most five.
    pub processes: Vec<Busy>,
    /// Thermal zones.
    pub zones: Vec<Zone>,
    /// What the sensors say now of every GPU and of the power of the whole machine, and of temperatures.
    #[serde(default)]
    pub readings: Vec<Reading>,
    /// Whether a battery feeds the machine.
    pub on_battery: Option<bool>,
    /// Sensors that give power or energy, as `sensor scope`.
    pub power_sensors: Vec<String>,
    /// Sensors that were asked for power or energy and refused, with the reason.
    pub power_refused: Vec<Absent>,
    /// Sensors that were asked and did not answer.
    #[serde(default)]
    pub silent: Vec<String>,
    /// Whether this program was built for finding its own errors instead of for speed.
    pub debug_build: bool,
    /// What could not be found out, and why.
    pub absent: Vec<Absent>,
}

/// Another process that uses the processors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Busy {
    /// Its name, without arguments.
    pub name: String,
    /// Processors it used: 1.0 is one of them all the time.
    pub cpus: f64,
}

/// A place whose temperature is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Its temperature, in degrees Celsius.
    pub celsius: f64,
}

/// Watches the machine under `root` for `interval`; a quarter of a second is enough for loads of a tenth.
/// `debug_build` is the caller's to say: `cfg!(debug_assertions)` of the program that measures.
#[must_use]
pub fn state(root: &SysRoot, interval: Duration, debug_build: bool) -> State {
    let mut s = State { debug_build, ..State::default() };
    sensors(root, &mut s);
    memory(root, &mut s);
    let before = Ticks::now(root);
    s.processes = known(&mut s.absent, "processes", processes(root, interval)).unwrap_or_default();
    let shares = before.and_then(|b| {
        Ticks::now(root)?.since(&b).ok_or_else(|| "no tick of the clock passed between two readings".to_owned())
    });
    let shares: Option<Shares> = known(&mut s.absent, "steal", shares);
    s.busy = shares.map(|s| s.busy);
    s.steal = shares.map(|s| s.steal);
    s.load_1m = known(&mut s.absent, "load_1m", load(root));
    s.on_battery = super::power::source(root, &mut s.absent).map(|p| p == PowerSource::Battery);
    s
}

fn load(root: &SysRoot) -> Result<f64, String> {
    if root.is_live() && cfg!(target_os = "windows") {
        return Err("Windows keeps no load average".to_owned());
    }
    if root.is_live() && !cfg!(target_os = "linux") {
        return sysinfo::System::load_average().map(|l| l.one).map_err(|e| e.to_string());
    }
    let line = root.line("/proc/loadavg")?;
    line.split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| format!("/proc/loadavg: not understood: {line:?}"))
}

fn memory(root: &SysRoot, s: &mut State) {
    let now = if root.is_live() && !cfg!(target_os = "linux") {
        super::machine(root).memory
    } else {
        super::memory::detect(root, &mut Vec::new())
    };
    s.available_bytes =
        known(&mut s.absent, "available_bytes", now.available_bytes.ok_or_else(|| "no free memory is told".to_owned()));
    s.swap_used_bytes =
        known(&mut s.absent, "swap_used_bytes", now.swap_used_bytes.ok_or_else(|| "no swap is told".to_owned()));
}

/// The busiest other processes over `interval`, which passes here in any case.
fn processes(root: &SysRoot, interval: Duration) -> Result<Vec<Busy>, String> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let asked =
        if root.is_live() { crate::os::cpu_load_is_safe() } else { Err("the machine is read from files".to_owned()) };
    if let Err(why) = asked {
        std::thread::sleep(interval);
        return Err(why);
    }
    let mut system = System::new().map_err(|e| e.to_string())?;
    let kind = ProcessRefreshKind::nothing().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    std::thread::sleep(interval.max(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL));
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let own = sysinfo::get_current_pid().ok();
    // sysinfo lists threads beside processes on Linux; their time is already in their process.
    let others = system.processes().values().filter(|p| Some(p.pid()) != own && p.thread_kind().is_none());
    let mut busy: Vec<Busy> = others
        .map(|p| Busy { name: clean(&p.name().to_string_lossy()), cpus: f64::from(p.cpu_usage()) / 100.0 })
        .filter(|b| b.cpus >= 0.05)
        .collect();
    busy.sort_by(|a, b| b.cpus.total_cmp(&a.cpus).then_with(|| a.name.cmp(&b.name)));
    busy.truncate(NAMED);
    Ok(busy)
}

/// Temperatures, and who gives power.
fn sensors(root: &SysRoot, s: &mut State) {
    for Look { name, channels, readings, silent } in telemetry::look(telemetry::sensors(root), Pace::from_env()) {
        s.silent.extend(silent.then(|| name.to_owned()));
        for c in &channels {
            let power = matches!(c.quantity.as_deref(), Some("power" | "energy"));
            match c.status {
                Status::Ok if power => s.power_sensors.push(named(c)),
                // A refusal as a whole counts for the sensors that would have had power.
                Status::Refused if power || (c.quantity.is_none() && matches!(name, "nvml" | "hwmon")) => {
                    s.power_refused.push(Absent::new(named(c), c.reason.as_deref().unwrap_or_default()));
                }
                _ => {}
            }
        }
        if name == "thermal" {
            s.zones = readings.iter().map(|r| Zone { name: r.scope.clone(), celsius: r.value }).collect();
        }
        let told = |r: &Reading| r.scope.starts_with("gpu") || matches!(r.quantity.as_str(), "power" | "temperature");
        s.readings.extend(readings.into_iter().filter(told));
    }
    if s.zones.is_empty() {
        s.absent.push(Absent::new("zones", "no thermal zone is listed"));
    }
}

fn named(c: &Channel) -> String {
    [Some(c.name.as_str()), c.scope.as_deref(), c.quantity.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}
