//! The roofs of each device, kept ready to be measured right before and right after everything else.

use crate::measure;
use spark_kernels::{Arithmetic, Device, Fault};
use spark_results::roofline::{Bound, RoofReading};
use spark_results::{AxisValue, BenchmarkId, machine::Absent};
use spark_workloads::workload::Roofs as Needs;
use spark_workloads::{Body, Request, Step, Workload, ops};
use std::sync::Arc;

/// Samples of each roof before, and again after.
const READINGS: usize = 3;
/// Least size of the array that stands for memory.
const MEMORY: u64 = 1 << 30;

/// One roof, prepared.
struct Roof {
    bound: Bound,
    of: Option<Arithmetic>,
    id: BenchmarkId,
    step: Box<dyn Step>,
}

/// All roofs of one device.
pub struct Roofs {
    device: Arc<dyn Device>,
    roofs: Vec<Roof>,
    /// What could not be prepared, and why.
    pub absent: Vec<Absent>,
}

impl std::fmt::Debug for Roofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roofs").field("device", &self.device.id()).finish_non_exhaustive()
    }
}

/// Size of the array whose reading is the roof of memory: past four times the last-level cache, at least 1 GiB.
pub fn memory_bytes(device: &dyn Device) -> u64 {
    (4 * device.last_level_cache()).next_power_of_two().max(MEMORY)
}

impl Roofs {
    /// Prepares the roofs of `device`; what does not fit into `memory` bytes or is wrong is absent, with its reason.
    pub fn prepare(device: &Arc<dyn Device>, memory: u64, seed: u64) -> Self {
        let mut roofs = Self { device: device.clone(), roofs: Vec::new(), absent: Vec::new() };
        for arithmetic in [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8] {
            let axis = ("type", AxisValue::from(arithmetic.name()));
            roofs.add(&ops::PEAK, Bound::Compute, Some(arithmetic), axis, memory, seed);
        }
        let bytes = memory_bytes(&**device);
        if bytes.saturating_mul(3) <= memory {
            roofs.add(&ops::READ, Bound::Memory, None, ("bytes", AxisValue::Int(bytes)), memory, seed);
        } else {
            let why = format!("its array of {bytes} bytes does not fit beside the rest: {memory} bytes may be used");
            roofs.absent.push(Absent::new(format!("roofs.{}.memory", device.id()), why));
        }
        roofs
    }

    fn add(
        &mut self,
        workload: &dyn Workload,
        bound: Bound,
        of: Option<Arithmetic>,
        axis: (&str, AxisValue),
        memory: u64,
        seed: u64,
    ) {
        let what = format!("roofs.{}.{}", self.device.id(), of.map_or("memory", Arithmetic::name));
        let mut request = Request::default();
        request.axes.insert(axis.0.to_owned(), vec![axis.1]);
        let prepared = workload.cases(&request, &*self.device).map_err(|e| e.to_string()).and_then(|mut ids| {
            let id = ids.pop().ok_or("no case")?;
            match workload.prepare(&id, &self.device, seed, memory).map_err(|e| e.to_string())? {
                Body::Step(mut step) => match step.check() {
                    Ok(Some(check)) if !check.passed() => Err(format!("{id} computes wrongly")),
                    Ok(_) => Ok((id, step)),
                    Err(fault) => Err(fault.to_string()),
                },
            }
        });
        match prepared {
            Ok((id, step)) => self.roofs.push(Roof { bound, of, id, step }),
            Err(why) => self.absent.push(Absent::new(what, why)),
        }
    }

    /// Measures the roofs that `needs` names, as readings whose `before` is filled.
    pub fn before(&mut self, needs: Needs) -> Result<Vec<RoofReading>, Fault> {
        let wanted = self.wanted(needs);
        wanted
            .into_iter()
            .map(|at| {
                let before_ns = self.read(at)?;
                let roof = &self.roofs[at];
                let work = roof.step.work();
                Ok(RoofReading { of: roof.id.to_string(), bound: roof.bound, work, before_ns, after_ns: Vec::new() })
            })
            .collect()
    }

    /// Measures the same roofs again, into `after`.
    pub fn after(&mut self, readings: &mut [RoofReading]) -> Result<(), Fault> {
        for reading in readings {
            if let Some(at) = self.roofs.iter().position(|r| r.id.to_string() == reading.of) {
                reading.after_ns = self.read(at)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, at: usize) -> Result<Vec<u64>, Fault> {
        let step = &mut *self.roofs[at].step;
        // One run first: the caches hold what was measured last, and the clock is that of other work.
        measure::once(step, &*self.device, 1)?;
        (0..READINGS).map(|_| measure::once(step, &*self.device, 1)).collect()
    }

    fn wanted(&self, needs: Needs) -> Vec<usize> {
        let memory = self.roofs.iter().position(|r| needs.memory && r.bound == Bound::Memory);
        // Where the machine has no such arithmetic of its own, what it falls back to is f32: the id in the record says so.
        let compute = needs.compute.and_then(|of| {
            let has = |of| self.roofs.iter().position(|r| r.of == Some(of));
            has(of).or_else(|| has(Arithmetic::F32))
        });
        memory.into_iter().chain(compute).collect()
    }
}
