//! What a run needs at hand: its folder, its devices with their roofs, its sensors, its clock.

use crate::canary;
use crate::os::SysRoot;
use crate::roofs::Roofs;
use crate::telemetry::{self, Sampler};
use crate::trial::Live;
use crate::watch::Watch;
use spark_results::machine::Absent;
use spark_results::store::{self, Store, StoreError};
use spark_results::telemetry::Status;
use spark_results::{Manifest, Record};
use spark_workloads::Devices;
use spark_workloads::suite::Policy;
use spark_workloads::workload::Roofs as Needs;
use std::collections::HashMap;
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
    pub(crate) watch: Watch,
    pub(crate) sampler: Option<Sampler>,
    roofs: HashMap<String, Roofs>,
    roofless: bool,
}

impl Session {
    /// Starts the sensors and opens the run's clock; `elapsed_ns` of it have passed already where a run is resumed.
    pub fn start(
        store: Store,
        mut manifest: Manifest,
        devices: Devices,
        policy: Policy,
        root: &SysRoot,
        elapsed_ns: u64,
    ) -> Result<Self, StoreError> {
        let now = Instant::now();
        let start = now.checked_sub(Duration::from_nanos(elapsed_ns)).unwrap_or(now);
        let out = store::telemetry_file(store.folder())?;
        let sampler = match Sampler::start(Box::new(out), telemetry::sensors(root), start) {
            Ok(sampler) => Some(sampler),
            Err(e) => {
                manifest.absent.push(Absent::new("telemetry", e.to_string()));
                None
            }
        };
        store.manifest(&manifest)?;
        let watch = Watch::start(root);
        Ok(Self {
            store,
            manifest,
            devices,
            policy,
            start,
            live: Live::default(),
            watch,
            sampler,
            roofs: HashMap::new(),
            roofless: false,
        })
    }
    /// Nanoseconds since the run's start.
    pub fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
    /// Whether a sensor of power or energy speaks.
    pub fn has_power(&self) -> bool {
        self.sampler.as_ref().is_some_and(|s| {
            let speaks = |c: &&spark_results::telemetry::Channel| c.status == Status::Ok;
            s.header().sensors.iter().filter(speaks).any(|c| matches!(c.quantity.as_deref(), Some("power" | "energy")))
        })
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
        if self.roofless {
            return None;
        }
        if !self.roofs.contains_key(device) {
            let roofs = Roofs::of(self.devices.get(device)?, self.manifest.settings.seed);
            self.roofs.insert(device.to_owned(), roofs);
        }
        let usable = crate::plan::usable(available());
        let roofs = self.roofs.get_mut(device)?;
        self.manifest.absent.extend(roofs.prepare(needs, usable));
        Some(roofs)
    }
    /// Runs the canary on every device and keeps what it says; where it cannot be run, the manifest says why.
    pub fn canary(&mut self) {
        let devices: Vec<_> = self.devices.iter().cloned().collect();
        for device in devices {
            match canary::run(&device, self.manifest.settings.seed, self.now_ns()) {
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
        Some(match cost.share() {
            Some(share) => format!("sampling took {:.2} % of one cpu ({} samples)", share * 100.0, cost.samples),
            None => format!("{} samples; what they cost is not known here", cost.samples),
        })
    }
}

/// Bytes of memory that could be had now.
pub fn available() -> u64 {
    // Where nobody tells, nothing is declined for memory: the allocation itself then says no.
    let Ok(mut system) = sysinfo::System::new() else { return u64::MAX };
    system.refresh_memory();
    let free = system.available_memory();
    // Inside a container the machine's memory is not this process's.
    match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 => free.min(limits.free_memory),
        _ => free,
    }
}
