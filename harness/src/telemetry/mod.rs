//! The sensors: each one asked once what it can give, then read through a run; a refused quantity is absent, never 0.

mod battery;
mod counter;
mod cpu;
mod cpufreq;
#[cfg(any(windows, test))]
mod emi;
#[cfg(windows)]
mod emi_sys;
#[cfg(any(windows, test))]
mod emi_told;
mod grace;
mod history;
mod hwmon;
mod ina;
mod keeper;
mod look;
mod memory;
mod nvml;
mod nvml_gpu;
mod nvml_sys;
mod nvml_told;
mod probe;
mod rapl;
mod sampler;
#[cfg(not(windows))]
mod soc;
#[cfg(target_os = "macos")]
mod soc_macos;
mod spbm;
mod thermal;
mod throttle;
pub mod wall;

pub use cpu::{Shares, Ticks};
pub use look::{Look, look};
pub use nvml::LIBRARY;
pub use sampler::{Cost, Sampler};
pub(crate) use throttle::counters as throttle_counters;

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;
use wall::Meter;

/// How often a sensor of power or energy is read: five times what an integral needs, so that an update is seen soon after it came.
const OFTEN: Duration = Duration::from_millis(50);

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
    /// Why a number was left out of the last [`Sensor::read`], where one was.
    fn trouble(&mut self) -> Option<String> {
        None
    }
    /// How old the numbers of the last [`Sensor::read`] were when it returned.
    fn age(&self) -> Duration {
        Duration::ZERO
    }
    /// What it told once, by name; to be asked after [`Sensor::probe`].
    fn facts(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Every sensor there is, in the order of the header.
#[must_use]
pub fn sensors(root: &SysRoot) -> Vec<Box<dyn Sensor>> {
    sensors_and(root, None)
}

/// The same, and a meter outside the machine.
#[must_use]
pub fn sensors_and(root: &SysRoot, meter: Option<&Meter>) -> Vec<Box<dyn Sensor>> {
    let mut sensors: Vec<Box<dyn Sensor>> = vec![
        Box::new(cpu::Load::new(root)),
        Box::new(memory::Available::new(root)),
        Box::new(cpufreq::clocks(root)),
        Box::new(thermal::zones(root)),
        Box::new(throttle::Events::new(root)),
        Box::new(hwmon::Chips::new(root)),
        Box::new(spbm::Rails::new(root)),
        Box::new(grace::sockets(root)),
        Box::new(ina::monitors(root)),
        Box::new(rapl::Energy::new(root)),
        Box::new(battery::Batteries::new(root)),
        #[cfg(not(windows))]
        Box::new(soc::Meter::new(root)),
        #[cfg(windows)]
        Box::new(emi::Meters::new(root)),
        Box::new(nvml::Gpus::new(root)),
    ];
    if let Some(meter) = meter {
        sensors.push(Box::new(wall::Wall::new(meter.clone())));
    }
    sensors
}

fn channel(name: &str, quantity: &str, scope: &str, source: &str, unit: &str, period: Duration) -> Channel {
    Channel::ok(name, quantity, scope, source, unit, u64::try_from(period.as_millis()).ok())
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
