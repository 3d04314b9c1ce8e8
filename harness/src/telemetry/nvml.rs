//! NVIDIA GPUs through NVML, each quantity asked once and left out where it is refused.
//!
//! That the library loads means little: on a Jetson it starts, lists one GPU and refuses everything.

use std::ffi::OsString;
use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use spark_results::telemetry::{Channel, Reading};

use crate::detect::meminfo;
use crate::os::SysRoot;

use super::nvml_gpu::{At, Gpu};
use super::{OFTEN, Sensor, nvml_sys, nvml_told};

/// The environment variable that names the library, where it is not the system's own: for tests, and for odd installations.
pub const LIBRARY: &str = "SPARK_BENCH_NVML";

pub(super) struct Gpus {
    root: SysRoot,
    nvml: Option<(Nvml, String)>,
    gpus: Vec<(u32, Gpu)>,
    facts: Vec<(String, String)>,
    trouble: Option<String>,
}

/// The library that was asked for; an empty name is none.
fn library() -> Option<OsString> {
    std::env::var_os(LIBRARY).filter(|path| !path.is_empty())
}

impl Gpus {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), nvml: None, gpus: Vec::new(), facts: Vec::new(), trouble: None }
    }

    fn open() -> Result<Nvml, NvmlError> {
        match library() {
            Some(path) => Nvml::builder().lib_path(&path).init(),
            // The bare `.so` belongs to development packages; a driver brings `.so.1`.
            None => Nvml::init(),
        }
    }
}

impl Sensor for Gpus {
    fn name(&self) -> &'static str {
        "nvml"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let refused = |why: String| vec![Channel::refused("nvml", None, Some("libnvidia-ml"), why)];
        if !self.root.is_live() && library().is_none() {
            return refused("not asked: the machine is read from files".to_owned());
        }
        let nvml = match Self::open() {
            Ok(nvml) => nvml,
            Err(e) => return refused(e.to_string()),
        };
        let driver = nvml.sys_driver_version().unwrap_or_else(|_| "unknown".to_owned());
        let count = match nvml.device_count() {
            Ok(0) => return refused("the driver lists no GPU".to_owned()),
            Ok(count) => count,
            Err(e) => return refused(e.to_string()),
        };
        let simulated = nvml_sys::is_double(&nvml);
        let machine = self.root.text("/proc/meminfo").ok().and_then(|text| meminfo(&text, "MemTotal"));
        let mut channels = Vec::new();
        for number in 0..count {
            match nvml.device_by_index(number) {
                Ok(device) => {
                    let at = At { nvml: &nvml, driver: &driver, device: &device };
                    let (gpu, told) = Gpu::ask(number, &at, OFTEN);
                    channels.extend(told);
                    self.gpus.push((number, gpu));
                    self.facts.extend(nvml_told::facts(number, &at, machine));
                }
                Err(e) => channels.push(Channel {
                    scope: Some(format!("gpu {number}")),
                    ..Channel::refused("nvml", None, None, e.to_string())
                }),
            }
        }
        channels.iter_mut().for_each(|c| c.simulated = simulated);
        self.nvml = Some((nvml, driver));
        channels
    }

    fn read(&mut self) -> Vec<Reading> {
        let Some((nvml, driver)) = &self.nvml else {
            return Vec::new();
        };
        let mut readings = Vec::new();
        for (number, gpu) in &mut self.gpus {
            match nvml.device_by_index(*number) {
                Ok(device) => {
                    let (read, trouble) = gpu.read(&At { nvml, driver, device: &device });
                    readings.extend(read);
                    self.trouble = trouble.or(self.trouble.take());
                }
                Err(e) => self.trouble = Some(format!("gpu {number}: {e}")),
            }
        }
        readings
    }

    fn period(&self) -> Duration {
        OFTEN
    }

    fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    fn facts(&self) -> Vec<(String, String)> {
        self.facts.clone()
    }
}
