//! Which devices this machine offers, and why others cannot be used.

use spark_kernels::cpu::{Cpu, pool};
use spark_kernels::cuda::Gpu;
use spark_kernels::{Device, cuda};
use spark_results::Machine;
use spark_results::run::DeviceInfo;
use spark_workloads::Devices;
use std::sync::Arc;

/// Every device there is, with a line for each family that was looked for. `threads` as asked, else one a CPU this process may use.
///
/// Errors: a device asked for in `wanted` that is not there, with the list.
pub fn open(
    machine: &Machine,
    threads: Option<usize>,
    wanted: &[String],
) -> Result<(Devices, Vec<DeviceInfo>), String> {
    let cpus = pool::allowed_cpus();
    if let Some(asked) = threads
        && (asked == 0 || asked > 4 * cpus.len().max(1))
    {
        return Err(format!(
            "--threads {asked}: this process may use {} cpus; ask for 1 to {}",
            cpus.len(),
            cpus.len()
        ));
    }
    let mut list: Vec<Arc<dyn Device>> = Vec::new();
    // Why a GPU of another number is not there.
    let mut absent = None;
    let mut infos = Vec::new();
    let asked = |id: &str| wanted.is_empty() || wanted.iter().any(|w| w == id);
    let name = machine.cpu.brand.clone();
    infos.push(DeviceInfo { id: "cpu".into(), name, unavailable: None, simulated: false });
    if asked("cpu") {
        list.push(Arc::new(Cpu::new(threads, machine.cpu.last_level_total().unwrap_or(0))));
    }
    match cuda::driver::driver() {
        Ok(driver) if driver.count > 0 => {
            for ordinal in 0..driver.count {
                let id = format!("cuda:{ordinal}");
                let (gpu, info) = gpu(id, ordinal, driver.simulated, asked);
                list.extend(gpu);
                infos.push(info);
            }
            let beyond = format!("the driver knows {} CUDA devices, counted from 0", driver.count);
            absent = Some(beyond);
        }
        Ok(driver) => {
            let why = Some(
                "the CUDA driver knows no device; a GPU in MIG mode needs an instance: nvidia-smi mig -lgi".to_owned(),
            );
            infos.push(DeviceInfo { id: "cuda".into(), name: None, unavailable: why, simulated: driver.simulated });
        }
        Err(reason) => {
            let why = Some(reason.to_string());
            infos.push(DeviceInfo { id: "cuda".into(), name: None, unavailable: why, simulated: false });
        }
    }
    for id in wanted {
        if !list.iter().any(|d| d.id() == id) {
            let family = id.split(':').next().unwrap_or(id);
            let why = infos.iter().find(|i| i.id == *id || i.id == family).and_then(|i| i.unavailable.clone());
            let why = why.or(if family == "cuda" { absent.clone() } else { None });
            let why = why.unwrap_or_else(|| "there is no such device here".into());
            let id = spark_results::machine::clean(id);
            return Err(format!("--device {id}: {why}; spark-bench list devices shows what there is"));
        }
    }
    Ok((Devices::new(list), infos))
}

/// The GPU of that ordinal, opened if it is asked for, and the line that names it.
fn gpu(
    id: String,
    ordinal: usize,
    simulated: bool,
    asked: impl Fn(&str) -> bool,
) -> (Option<Arc<dyn Device>>, DeviceInfo) {
    let name = cuda::properties(ordinal).map(|properties| properties.name).ok();
    if !asked(&id) {
        return (None, DeviceInfo { id, name, unavailable: None, simulated });
    }
    match Gpu::open(ordinal) {
        Ok(gpu) => (Some(Arc::new(gpu)), DeviceInfo { id, name, unavailable: None, simulated }),
        Err(reason) => (None, DeviceInfo { id, name, unavailable: Some(reason.to_string()), simulated }),
    }
}
