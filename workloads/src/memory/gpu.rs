//! What experiments between a host and a GPU have in common: the GPU, or the reason where there is none.

use crate::workload::Decline;
use spark_kernels::cuda::Gpu;
use spark_kernels::link::Allocator;
use spark_kernels::parity;
use spark_kernels::{Backend, Device, Fault};
use spark_results::record::{Better, Check, Metric};
use std::collections::BTreeMap;

/// `device` as the GPU that `workload` takes. Errors: it is none.
pub(super) fn needed<'d>(workload: &str, device: &'d dyn Device) -> Result<&'d Gpu, Decline> {
    if device.backend() == Backend::Cpu {
        let id = device.id();
        return Err(Decline::Skip(format!("{workload} is between a host and a GPU, and {id} is the host alone")));
    }
    Gpu::of(device).map_err(|why| Decline::Skip(why.to_string()))
}

/// The allocators that `usable` takes, and a note for each other one.
pub(super) fn allocators(
    usable: impl Fn(Allocator) -> Result<(), spark_kernels::Unsupported>,
) -> (Vec<Allocator>, Vec<String>) {
    let (mut fine, mut notes) = (Vec::new(), Vec::new());
    for allocator in Allocator::ALL {
        match usable(allocator) {
            Ok(()) => fine.push(allocator),
            Err(why) => notes.push(why.to_string()),
        }
    }
    (fine, notes)
}

/// What bears on how the two share memory.
pub(super) fn facts(gpu: &Gpu) -> BTreeMap<String, String> {
    let sharing = &gpu.properties().sharing;
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    [
        ("memory", sharing.class().to_string()),
        ("copy_engines", sharing.copy_engines.to_string()),
        ("concurrent_managed_access", yes(sharing.concurrent).to_owned()),
        ("pageable_memory_access", yes(sharing.pageable).to_owned()),
        ("host_page_tables", yes(sharing.host_tables).to_owned()),
        ("host_native_atomics", yes(sharing.native_atomics).to_owned()),
        ("host_register", yes(sharing.register).to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A metric in which more is better, or less.
pub(super) fn metric(name: String, value: f64, unit: &str) -> Metric {
    let better = if unit == "ns" { Better::Lower } else { Better::Higher };
    Metric { name, value, unit: unit.to_owned(), better }
}

/// A comparison in the words of a record.
pub(super) fn check(of: parity::Check) -> Check {
    Check { max_error: of.max_error, tolerance: of.tolerance, compared: of.compared as u64 }
}

/// Whether a comparison was right. Errors: how much was not, in the way that `way` names.
pub(super) fn right(of: parity::Check, way: &str) -> Result<Check, Fault> {
    if of.passed() {
        return Ok(check(of));
    }
    Err(Fault::Device(format!("{way}: {:.1} % of the words are others than were sent", of.max_error * 100.0)))
}

#[cfg(test)]
mod tests {
    use super::super::{COHERENCE, TRANSFER, UNIFIED};
    use crate::{Request, Workload};
    use spark_kernels::Device;
    use spark_kernels::cpu::Cpu;
    use std::sync::Arc;

    #[test]
    fn without_a_gpu_each_is_declined_by_name() {
        let device: Arc<dyn Device> = Arc::new(Cpu::new(Some(1), 0));
        let all: [&dyn Workload; 3] = [&TRANSFER, &UNIFIED, &COHERENCE];
        for workload in all {
            let id = workload.cases(&Request::default(), &*device).unwrap().remove(0);
            let why = workload.footprint(&id, &*device).unwrap_err().to_string();
            assert!(why.contains(workload.name()) && why.contains("GPU") && why.contains("cpu"), "{why}");
            assert!(workload.prepare(&id, &device, 1, u64::MAX).is_err());
            assert!(workload.implementations(&*device)[0].1.is_some());
        }
    }
}
