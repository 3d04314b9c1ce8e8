//! NVIDIA GPUs through NVML: power, energy, temperature and the SM clock, each asked once and left out where refused.

use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::{Device, error::NvmlError};
use spark_results::machine::clean;
use spark_results::telemetry::{Channel, Reading, Status};

use crate::os::SysRoot;

use super::{Sensor, channel, reading};

/// One quantity: its name, its unit, the call's name and the call with the value in that unit.
type Quantity = (&'static str, &'static str, &'static str, fn(&Device<'_>) -> Result<f64, NvmlError>);

const QUANTITIES: &[Quantity] = &[
    ("power", "W", "power_usage", |d| Ok(f64::from(d.power_usage()?) / 1e3)),
    ("energy", "J", "total_energy_consumption", |d| Ok(d.total_energy_consumption()? as f64 / 1e3)),
    ("temperature", "degC", "temperature", |d| Ok(f64::from(d.temperature(TemperatureSensor::Gpu)?))),
    ("clock", "Hz", "clock_info sm", |d| Ok(f64::from(d.clock_info(Clock::SM)?) * 1e6)),
];

/// A quantity of a GPU that answered when probed.
struct Answering {
    gpu: u32,
    quantity: &'static Quantity,
    source: String,
}

pub(super) struct Gpus {
    live: bool,
    nvml: Option<Nvml>,
    answering: Vec<Answering>,
}

impl Gpus {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { live: root.is_live(), nvml: None, answering: Vec::new() }
    }

    fn of_gpu(&mut self, gpu: u32, device: &Device<'_>, channels: &mut Vec<Channel>) {
        let name = device.name().map_or_else(|e| format!("unnamed ({e})"), |n| clean(&n));
        let scope = format!("gpu {gpu}");
        for quantity in QUANTITIES {
            let source = format!("nvml {} of {name}", quantity.2);
            match quantity.3(device) {
                Ok(_) => {
                    channels.push(channel("nvml", quantity.0, &scope, &source, quantity.1, self.period()));
                    self.answering.push(Answering { gpu, quantity, source });
                }
                Err(e) => {
                    let refused = Channel::refused("nvml", Some(quantity.0), Some(&source), e.to_string());
                    channels.push(Channel { scope: Some(scope.clone()), ..refused });
                }
            }
        }
    }
}

impl Sensor for Gpus {
    fn name(&self) -> &'static str {
        "nvml"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let refused = |why: String| vec![Channel::refused("nvml", None, Some("libnvidia-ml"), why)];
        if !self.live {
            return refused("not asked: the machine is read from files".to_owned());
        }
        let nvml = match Nvml::init() {
            Ok(nvml) => nvml,
            Err(e) => return refused(e.to_string()),
        };
        let count = match nvml.device_count() {
            Ok(0) => return refused("the driver lists no GPU".to_owned()),
            Ok(count) => count,
            Err(e) => return refused(e.to_string()),
        };
        let mut channels = Vec::new();
        for gpu in 0..count {
            match nvml.device_by_index(gpu) {
                Ok(device) => self.of_gpu(gpu, &device, &mut channels),
                Err(e) => channels.push(Channel {
                    scope: Some(format!("gpu {gpu}")),
                    ..Channel::refused("nvml", None, None, e.to_string())
                }),
            }
        }
        debug_assert!(channels.iter().filter(|c| c.status == Status::Ok).count() == self.answering.len());
        self.nvml = Some(nvml);
        channels
    }

    fn read(&mut self) -> Vec<Reading> {
        let Some(nvml) = &self.nvml else {
            return Vec::new();
        };
        let one = |a: &Answering| {
            let (name, unit, _, call) = a.quantity;
            let value = call(&nvml.device_by_index(a.gpu).ok()?).ok()?;
            Some(reading(name, &format!("gpu {}", a.gpu), &a.source, value, unit))
        };
        self.answering.iter().filter_map(one).collect()
    }

    fn period(&self) -> Duration {
        Duration::from_millis(100)
    }
}
