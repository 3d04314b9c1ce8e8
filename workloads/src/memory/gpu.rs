//! What needs a GPU: listed everywhere, declined with the reason where there is none.

use crate::axis::{Axis, BadRequest, Request};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::{Backend, Device};
use spark_results::BenchmarkId;
use std::sync::Arc;

/// An experiment between the host and a GPU.
#[derive(Clone, Copy, Debug)]
pub struct NeedsGpu {
    name: &'static str,
    about: &'static str,
}

/// `transfer`.
pub static TRANSFER: NeedsGpu =
    NeedsGpu { name: "transfer", about: "copies between host and GPU, by allocator, direction and size" };
/// `unified`.
pub static UNIFIED: NeedsGpu =
    NeedsGpu { name: "unified", about: "one buffer for CPU and GPU: who allocates, who touches first, who reads" };
/// `coherence`.
pub static COHERENCE: NeedsGpu =
    NeedsGpu { name: "coherence", about: "a line that CPU and GPU hand to each other, atomics, false sharing" };

impl NeedsGpu {
    fn why_not(&self, device: &dyn Device) -> Decline {
        Decline::Skip(match device.backend() {
            Backend::Cpu => format!("{} is between a host and a GPU, and {} is the host alone", self.name, device.id()),
            Backend::Cuda => format!("this version has no {} for {}", self.name, device.id()),
        })
    }
}

impl Workload for NeedsGpu {
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn axes(&self) -> &'static [Axis] {
        &[]
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        vec![("gpu".to_owned(), Some(self.why_not(device).to_string()))]
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        crate::axis::combinations(self.name, &[], request)?;
        Ok(vec![BenchmarkId::new(self.name, device.id(), "gpu")])
    }
    fn footprint(&self, _: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        Err(self.why_not(device))
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        false
    }
    fn prepare(&self, _: &BenchmarkId, device: &Arc<dyn Device>, _: u64, _: u64) -> Result<Body, Decline> {
        Err(self.why_not(&**device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_kernels::cpu::Cpu;

    #[test]
    fn without_a_gpu_each_is_declined_by_name() {
        let device: Arc<dyn Device> = Arc::new(Cpu::new(Some(1), 0));
        for workload in [TRANSFER, UNIFIED, COHERENCE] {
            let id = workload.cases(&Request::default(), &*device).unwrap().remove(0);
            let why = workload.footprint(&id, &*device).unwrap_err().to_string();
            assert!(why.contains(workload.name) && why.contains("GPU") && why.contains("cpu"), "{why}");
            assert!(workload.prepare(&id, &device, 1, u64::MAX).is_err());
        }
    }
}
