//! What a run needs at hand: its folder, its devices with their roofs, its sensors, its clock.

use crate::canary::Prepared;
use crate::energy::{self, Idle};
use crate::headroom::Headroom;
use crate::os::SysRoot;
use crate::pace::Pace;
use crate::roofs::Roofs;
use crate::telemetry::wall::Meter;
use crate::telemetry::{self, Sampler};
use crate::trial::Live;
use crate::watch::Watch;
use spark_kernels::cpu::Cpu;
use spark_kernels::cpu::pool::allowed_cpus;
use spark_results::conditions::Energy;
use spark_results::machine::Absent;
use spark_results::run::DeviceInfo;
use spark_results::store::{self, Store, StoreError};
use spark_results::telemetry::{Channel, Header, Status};
use spark_results::{Manifest, Record};
use spark_workloads::Devices;
use spark_workloads::suite::Policy;
use spark_workloads::workload::Roofs as Needs;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

/// A run in progress.
#[derive(Debug)]
pub struct Session {
    /// The folder it is written to.
    pub store: Store,
    /// What was asked for, and where.
    pub manifest: Manifest,
    /// The devices it uses.
    pub devices: Devices,
    /// How hard each task is measured.
    pub policy: Policy,
    /// The beginning of the run, from which every time in it is counted.
    pub start: Instant,
    /// Whoever watches an experiment of minutes.
    pub live: Live,
    /// What is left to the system.
    pub headroom: Headroom,
    pub(crate) watch: Watch,
    pub(crate) sampler: Option<Sampler>,
    roofs: HashMap<String, Roofs>,
    canaries: HashMap<String, Prepared>,
    roofless: bool,
    idle: Idle,
    pace: Pace,
}

/// How long the machine rests before it is given work, so that energies can be told without what it takes at rest.
const REST: Duration = Duration::from_millis(2_500);
/// What the program did before rings on that long.
const RING: Duration = Duration::from_millis(500);

impl Session {
    /// Starts the sensors and opens the run's clock; `elapsed_ns` of it have passed already where a run is resumed.
    pub fn start(
        store: Store,
        manifest: Manifest,
        devices: Devices,
        policy: Policy,
        root: &SysRoot,
        elapsed_ns: u64,
    ) -> Result<Self, StoreError> {
        Self::start_with(store, manifest, devices, policy, root, elapsed_ns, None)
    }
    /// The same with a meter outside of the machine.
    pub fn start_with(
        store: Store,
        mut manifest: Manifest,
        devices: Devices,
        policy: Policy,
        root: &SysRoot,
        elapsed_ns: u64,
        meter: Option<&Meter>,
    ) -> Result<Self, StoreError> {
        let now = Instant::now();
        let start = now.checked_sub(Duration::from_nanos(elapsed_ns)).unwrap_or(now);
        let out = store::telemetry_file(store.folder())?;
        let (sensors, pace) = (telemetry::sensors_and(root, meter), Pace::from_env());
        let hurried = pace.told().map(|why| Absent::new("the program's own pace", why));
        manifest.absent.extend(hurried.filter(|hurried| !manifest.absent.contains(hurried)));
        let sampler = match Sampler::start_on(&spare(&devices), pace, Box::new(out), sensors, start) {
            Ok(sampler) => {
                manifest.devices.retain(|d| d.id != DOUBLE);
                manifest.devices.extend(double(sampler.header()));
                Some(sampler)
            }
            Err(e) => {
                manifest.absent.push(Absent::new("telemetry", e.to_string()));
                None
            }
        };
        store.manifest(&manifest)?;
        let watch = Watch::start(root);
        let headroom = Headroom::with(manifest.machine.memory.total_bytes, &devices);
        Ok(Self {
            store,
            manifest,
            devices,
            policy,
            start,
            live: Live::default(),
            headroom,
            watch,
            sampler,
            roofs: HashMap::new(),
            canaries: HashMap::new(),
            roofless: false,
            idle: Idle::default(),
            pace,
        })
    }
    /// Lets the machine rest for a moment and notes what it takes then, where a sensor tells.
    pub fn rest(&mut self) {
        if !self.has_power() {
            return;
        }
        std::thread::sleep(self.pace.of(RING));
        let from_ns = self.now_ns();
        std::thread::sleep(self.pace.of(REST - RING));
        let to_ns = self.now_ns();
        if let Some(sampler) = &self.sampler {
            sampler.settle(to_ns);
            self.idle = Idle::of(sampler.header(), &sampler.between(before(from_ns), u64::MAX), from_ns, to_ns);
        }
    }
    /// Energy on `device` over all of `windows`, gross and above rest.
    pub fn energy(&self, device: &str, windows: &[[u64; 2]]) -> Energy {
        let (Some(sampler), Some(first), Some(last)) = (&self.sampler, windows.first(), windows.last()) else {
            return Energy::Unavailable { reason: "the sensors could not be started; see the manifest".into() };
        };
        if self.has_power() {
            sampler.settle(last[1]);
        }
        let samples = sampler.between(before(first[0]), last[1].saturating_add(MARGIN_NS));
        let mut energy = energy::over_windows(sampler.header(), &samples, device, windows);
        self.idle.subtract(&mut energy);
        energy
    }
    /// Bytes of memory that tasks on the device of that id may be planned with now.
    pub fn available(&self, device: &str) -> u64 {
        available_on(&self.devices, device, &self.headroom)
    }
    /// Nanoseconds since the run's start.
    pub fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
    /// Whether a sensor of power or energy speaks.
    pub fn has_power(&self) -> bool {
        self.powers().next().is_some()
    }
    /// Whether one of them looks only at a part of the time.
    pub fn sensor_sleeps(&self) -> bool {
        self.powers().any(|c| c.duty.is_some_and(|d| d < 1.0))
    }
    /// How long work has to go on for the slowest sensor to tell its energy, in milliseconds; 0 where none tells any.
    pub fn energy_window_ms(&self) -> u64 {
        let slow = |c: &Channel| c.averages_ms.is_some_and(|ms| ms >= 500.0) || c.scope.as_deref() == Some("wall");
        let window = |c: &Channel| match c.duty {
            // Windows of almost a second, apart by pauses of any length up to the sensor's period.
            Some(duty) if duty < 1.0 => 8_000,
            _ if slow(c) => 6_000,
            _ => 2_000,
        };
        self.pace.ms(self.powers().map(window).max().unwrap_or(0))
    }
    /// A pause of the program's own at its pace.
    pub(crate) fn paced(&self, pause: Duration) -> Duration {
        self.pace.of(pause)
    }
    fn powers(&self) -> impl Iterator<Item = &Channel> {
        let channels = self.sampler.iter().flat_map(|s| &s.header().sensors);
        let speaks = channels.filter(|c| c.status == Status::Ok);
        speaks.filter(|c| matches!(c.quantity.as_deref(), Some("power" | "energy")))
    }
    /// Measures no roofs from here on: records then hold none, and the manifest says why.
    pub fn leave_out_roofs(&mut self) {
        self.roofless = true;
        let why = Absent::new("roofs", "not measured: --no-roofs was asked for");
        // A run that is continued says it already.
        if !self.manifest.absent.contains(&why) {
            self.manifest.absent.push(why);
        }
    }
    /// The roofs of `device`, with those that `needs` names prepared if they can be; `None` where they are left out.
    pub(crate) fn roofs(&mut self, device: &str, needs: Needs) -> Option<&mut Roofs> {
        if self.roofless || self.simulated(device) {
            return None;
        }
        if !self.roofs.contains_key(device) {
            let roofs = Roofs::of(self.devices.get(device)?, self.manifest.settings.seed);
            self.roofs.insert(device.to_owned(), roofs);
        }
        let usable = crate::plan::usable(self.available(device));
        let roofs = self.roofs.get_mut(device)?;
        self.manifest.absent.extend(roofs.prepare(needs, usable));
        Some(roofs)
    }
    /// Whether the library of that device is a test double, which has no speed to tell.
    pub fn simulated(&self, device: &str) -> bool {
        self.manifest.devices.iter().any(|d| d.id == device && d.simulated)
    }
    /// Runs the canary on every device and keeps what it says; where it cannot be run, the manifest says why. What it needs is prepared
    /// the first time.
    pub fn canary(&mut self) {
        let devices: Vec<_> = self.devices.iter().filter(|device| !self.simulated(device.id())).cloned().collect();
        for device in devices {
            let (at_ns, seed) = (self.now_ns(), self.manifest.settings.seed);
            let prepared = match self.canaries.entry(device.id().to_owned()) {
                Entry::Occupied(there) => Ok(there.into_mut()),
                Entry::Vacant(place) => Prepared::on(&device, seed).map(|prepared| place.insert(prepared)),
            };
            match prepared.and_then(|prepared| prepared.run(at_ns)) {
                Ok(canary) => self.manifest.canaries.push(canary),
                Err(why) => {
                    let absent = Absent::new(format!("canary.{}", device.id()), why);
                    if !self.manifest.absent.contains(&absent) {
                        self.manifest.absent.push(absent);
                    }
                }
            }
        }
    }
    /// Appends a record: on disk before this returns.
    pub fn append(&mut self, record: &Record) -> Result<(), StoreError> {
        self.store.append(record)
    }
    /// Ends the sensors and says what they cost, in a sentence.
    pub fn stop_sensors(&mut self) -> Option<String> {
        let cost = self.sampler.take()?.stop();
        if let Some(error) = &cost.error {
            self.manifest.absent.push(Absent::new("telemetry", error));
        }
        for event in &cost.events {
            let at = event.t_ns as f64 * 1e-9;
            let what = format!("{} (first {at:.1} s into the run)", event.what);
            self.manifest.absent.push(Absent::new(format!("telemetry.{}", event.sensor), what));
        }
        Some(match cost.share() {
            Some(share) => format!("sampling took {:.2} % of one cpu ({} samples)", share * 100.0, cost.samples),
            None => format!("{} samples; what they cost is not known here", cost.samples),
        })
    }
}

/// Readings this far beyond a window's ends say how the power went there.
const MARGIN_NS: u64 = 1_500_000_000;

fn before(ns: u64) -> u64 {
    ns.saturating_sub(MARGIN_NS)
}

/// The processors that no kernel needs; none where all are used.
fn spare(devices: &Devices) -> Vec<usize> {
    let used = devices.get("cpu").and_then(|d| Cpu::of(&**d).ok()).map(|cpu| cpu.pool().cpus().to_vec());
    let used = used.unwrap_or_default();
    allowed_cpus().into_iter().filter(|cpu| !used.contains(cpu)).collect()
}

/// The name under which a test double of NVML stands among a run's devices.
const DOUBLE: &str = "nvml";

/// The device that a test double pretends to be, where one answers in the sensors' stead.
fn double(header: &Header) -> Option<DeviceInfo> {
    let simulated = header.sensors.iter().find(|c| c.simulated)?;
    let name = simulated.source.as_ref().and_then(|s| s.split_once(" of ")).map(|(_, name)| name.to_owned());
    let why = "its library is a test double: whatever it says of power, energy, clocks and heat is made up";
    Some(DeviceInfo { id: DOUBLE.into(), name, unavailable: Some(why.into()), simulated: true })
}

/// Bytes of memory that tasks on the device of that id could have now: its own, or where its memory is the host's, of that, less what is
/// left to the system.
pub fn available_on(devices: &Devices, device: &str, headroom: &Headroom) -> u64 {
    let own = devices.get(device).filter(|device| !device.integrated()).and_then(|device| device.free_memory());
    own.unwrap_or_else(|| headroom.beyond(available()))
}

/// What the tree that stands for the machine's files says is available, where a test has named one.
fn told_by_a_tree() -> Option<u64> {
    let root = SysRoot::from_env();
    let text = if root.is_live() { None } else { root.text("/proc/meminfo").ok() }?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    kib.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes of the machine's memory that could be had now.
pub fn available() -> u64 {
    // Where nobody tells, nothing is declined for memory: the allocation itself then says no.
    let Ok(mut system) = sysinfo::System::new() else { return u64::MAX };
    system.refresh_memory();
    // A tree made for a test may have less than this machine, never more: what is allocated is real.
    let free = system.available_memory().min(told_by_a_tree().unwrap_or(u64::MAX));
    // Inside a container the machine's memory is not this process's.
    match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 => free.min(limits.free_memory),
        _ => free,
    }
}
