//! Which devices this machine offers, and why others cannot be used.

use spark_kernels::cpu::{Cpu, pool};
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
    let mut infos = Vec::new();
    let asked = |id: &str| wanted.is_empty() || wanted.iter().any(|w| w == id);
    let name = machine.cpu.brand.clone();
    infos.push(DeviceInfo { id: "cpu".into(), name, unavailable: None, simulated: false });
    if asked("cpu") {
        list.push(Arc::new(Cpu::new(threads, machine.cpu.last_level_total().unwrap_or(0))));
    }
    let unavailable = match cuda::count() {
        Ok(count) => format!("the driver knows {count} devices, but this version has no CUDA kernels yet"),
        Err(reason) => reason.to_string(),
    };
    infos.push(DeviceInfo { id: "cuda".into(), name: None, unavailable: Some(unavailable), simulated: false });
    for id in wanted {
        if !list.iter().any(|d| d.id() == id) {
            let family = id.split(':').next().unwrap_or(id);
            let why = infos.iter().find(|i| i.id == family).and_then(|i| i.unavailable.clone());
            let why = why.unwrap_or_else(|| "there is no such device here".into());
            let id = spark_results::machine::clean(id);
            return Err(format!("--device {id}: {why}; spark-bench list devices shows what there is"));
        }
    }
    Ok((Devices::new(list), infos))
}
