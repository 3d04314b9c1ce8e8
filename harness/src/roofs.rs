//! The roofs of each device, kept ready to be measured right before and right after everything else.

use crate::measure;
use spark_kernels::{Arithmetic, Backend, Device, Fault};
use spark_results::roofline::{Bound, RoofReading};
use spark_results::{AxisValue, BenchmarkId, machine::Absent};
use spark_workloads::workload::Roofs as Needs;
use spark_workloads::{Body, Request, Step, Workload, ops};
use std::sync::Arc;

/// Samples of each roof before, and again after: each is a few milliseconds, so that some fall between two disturbances. Fifteen
/// were too few: kernels that run for seconds then seemed to reach up to 1.15 of a memory roof that was read for 30 ms.
const READINGS: usize = 60;
/// Least size of the array that stands for memory.
const MEMORY: u64 = 1 << 30;
/// What its size is rounded up to.
const STEP: u64 = 64 << 20;

/// What a roof limits, and in which arithmetic where it is one of compute.
type Kind = Option<Arithmetic>;
/// The roof of memory.
const OF_MEMORY: Kind = None;

/// One roof, prepared.
struct Roof {
    kind: Kind,
    id: BenchmarkId,
    step: Box<dyn Step>,
}

/// The roofs of one device, each prepared when the first task needs it.
pub struct Roofs {
    device: Arc<dyn Device>,
    seed: u64,
    roofs: Vec<Roof>,
    /// What could not be prepared, and why; it is not tried again.
    absent: Vec<(Kind, Absent)>,
}

impl std::fmt::Debug for Roofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roofs").field("device", &self.device.id()).finish_non_exhaustive()
    }
}

/// Size of the array whose reading is the roof of memory: four times the last-level cache, at least 1 GiB.
pub fn memory_bytes(device: &dyn Device) -> u64 {
    (4 * device.last_level_cache()).next_multiple_of(STEP).max(MEMORY)
}

impl Roofs {
    /// Of `device`; none of them is prepared yet.
    pub fn of(device: &Arc<dyn Device>, seed: u64) -> Self {
        Self { device: device.clone(), seed, roofs: Vec::new(), absent: Vec::new() }
    }

    /// Prepares what `needs` names and is not at hand. What does not fit into `memory` bytes or is wrong is absent, with its
    /// reason. Returns what was found absent by this call.
    pub fn prepare(&mut self, needs: Needs, memory: u64) -> Vec<Absent> {
        let known = self.absent.len();
        if needs.memory && !self.tried(OF_MEMORY) {
            let bytes = memory_bytes(&*self.device);
            if bytes.saturating_mul(3) <= memory {
                self.add(&ops::READ, OF_MEMORY, ("bytes", AxisValue::Int(bytes)), memory);
            } else {
                let size = spark_results::quantity::size;
                let why = format!(
                    "its array of {} is made beside two copies, and {} may be used: free some memory",
                    size(bytes),
                    size(memory)
                );
                self.missing(OF_MEMORY, why);
            }
        }
        if let Some(of) = needs.compute {
            for of in self.standing_for(of) {
                if !self.tried(Some(of)) {
                    self.add(&ops::PEAK, Some(of), ("type", AxisValue::from(of.name())), memory);
                }
                if self.at(Some(of)).is_some() {
                    break;
                }
            }
        }
        self.absent[known..].iter().map(|(_, absent)| absent.clone()).collect()
    }

    /// The arithmetics whose peaks may stand over `of`, the first that there is. Where a CPU has none of its own, what it falls back to is f32:
    /// the id in the record says so. On a GPU an implementation names what it really multiplies in, and no other roof stands over that.
    fn standing_for(&self, of: Arithmetic) -> impl Iterator<Item = Arithmetic> + use<> {
        let cpu = self.device.backend() == Backend::Cpu;
        std::iter::once(of).chain(cpu.then_some(Arithmetic::F32))
    }

    fn tried(&self, kind: Kind) -> bool {
        self.at(kind).is_some() || self.absent.iter().any(|(missing, _)| *missing == kind)
    }

    fn at(&self, kind: Kind) -> Option<usize> {
        self.roofs.iter().position(|roof| roof.kind == kind)
    }

    fn missing(&mut self, kind: Kind, why: String) {
        let what = format!("roofs.{}.{}", self.device.id(), kind.map_or("memory", Arithmetic::name));
        self.absent.push((kind, Absent::new(what, why)));
    }

    fn add(&mut self, workload: &dyn Workload, kind: Kind, axis: (&str, AxisValue), memory: u64) {
        let mut request = Request::default();
        request.axes.insert(axis.0.to_owned(), vec![axis.1]);
        let prepared = workload.cases(&request, &*self.device).map_err(|e| e.to_string()).and_then(|mut ids| {
            let id = ids.pop().ok_or("no case")?;
            match workload.prepare(&id, &self.device, self.seed, memory).map_err(|e| e.to_string())? {
                Body::Step(mut step) => match step.check() {
                    Ok(Some(check)) if !check.passed() => Err(format!("{id} computes wrongly")),
                    Ok(_) => Ok((id, step)),
                    Err(fault) => Err(fault.to_string()),
                },
                Body::Trial(_) => Err(format!("{id} is an experiment of its own, no roof")),
            }
        });
        match prepared {
            Ok((id, step)) => self.roofs.push(Roof { kind, id, step }),
            Err(why) => self.missing(kind, why),
        }
    }

    /// Measures the roofs that `needs` names and that could be prepared, as readings whose `before` is filled.
    pub fn before(&mut self, needs: Needs) -> Result<Vec<RoofReading>, Fault> {
        let wanted = self.wanted(needs);
        wanted
            .into_iter()
            .map(|at| {
                let before_ns = self.read(at)?;
                let roof = &self.roofs[at];
                let bound = if roof.kind == OF_MEMORY { Bound::Memory } else { Bound::Compute };
                let work = roof.step.work();
                Ok(RoofReading { of: roof.id.to_string(), bound, work, before_ns, after_ns: Vec::new() })
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
        let roof = &mut self.roofs[at];
        // Arithmetic is run once first: the clock is that of other work. The array of memory is past every cache, and long.
        if roof.kind != OF_MEMORY {
            measure::once(&mut *roof.step, &*self.device, 1)?;
        }
        (0..READINGS).map(|_| measure::once(&mut *roof.step, &*self.device, 1)).collect()
    }

    fn wanted(&self, needs: Needs) -> Vec<usize> {
        let memory = if needs.memory { self.at(OF_MEMORY) } else { None };
        let compute = needs.compute.and_then(|of| self.standing_for(of).find_map(|of| self.at(Some(of))));
        memory.into_iter().chain(compute).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_kernels::cpu::Cpu;

    fn cpu(last_level_cache: u64) -> Arc<dyn Device> {
        Arc::new(Cpu::new(Some(1), last_level_cache))
    }

    #[test]
    fn the_array_of_memory_is_four_times_the_cache_and_no_less_than_a_gibibyte() {
        assert_eq!(memory_bytes(&*cpu(8 << 20)), 1 << 30);
        let large = memory_bytes(&*cpu(260 << 20));
        let least = 4 * (260 << 20);
        assert!((least..least + STEP).contains(&large) && large.is_multiple_of(64));
    }

    #[test]
    fn only_what_is_needed_is_prepared_and_only_once() {
        let mut roofs = Roofs::of(&cpu(1 << 20), 1);
        assert!(roofs.prepare(Needs::default(), u64::MAX).is_empty() && roofs.roofs.is_empty());
        let needs = Needs { memory: false, compute: Some(Arithmetic::F32) };
        for _ in 0..2 {
            assert!(roofs.prepare(needs, u64::MAX).is_empty());
            assert_eq!(roofs.roofs.len(), 1, "{roofs:?}");
        }
        let mut readings = roofs.before(Needs { memory: true, ..needs }).unwrap();
        assert_eq!(readings.len(), 1);
        assert_eq!((readings[0].bound, readings[0].before_ns.len()), (Bound::Compute, READINGS));
        roofs.after(&mut readings).unwrap();
        assert_eq!(readings[0].after_ns.len(), READINGS);
    }

    #[test]
    fn a_roof_without_room_is_absent_with_its_reason_and_said_once() {
        let mut roofs = Roofs::of(&cpu(1 << 20), 1);
        let needs = Needs { memory: true, compute: None };
        let absent = roofs.prepare(needs, 1 << 20);
        assert_eq!(absent.len(), 1);
        assert_eq!(absent[0].what, "roofs.cpu.memory");
        assert!(absent[0].why.contains("1 MiB") && absent[0].why.contains("1 GiB"), "{}", absent[0].why);
        assert!(roofs.prepare(needs, u64::MAX).is_empty() && roofs.before(needs).unwrap().is_empty());
    }
}
