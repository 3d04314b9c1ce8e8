//! One kind of work of a soak: a step, how often it stands in a window, and what its result has to come to.

use crate::workload::Step;
use spark_kernels::Fault;
use spark_results::Work;
use spark_results::record::Check;

/// One kind of work.
pub(super) struct Part {
    pub(super) step: Box<dyn Step>,
    /// The benchmark it is otherwise.
    pub(super) id: String,
    /// Runs between two resets.
    together: u64,
    /// How often those stand in a window.
    pub(super) times: u64,
    /// What the first result after the check came to.
    first: Option<u64>,
}

impl Part {
    pub(super) fn new(step: Box<dyn Step>, id: String) -> Self {
        let together = step.iterations_a_sample().unwrap_or(1).max(1);
        Self { step, id, together, times: 1, first: None }
    }
    pub(super) fn check(&mut self) -> Result<Option<Check>, Fault> {
        self.step.check()
    }
    /// Brings back the state and runs what stands between two resets.
    pub(super) fn once(&mut self) -> Result<(), Fault> {
        self.step.reset()?;
        (0..self.together).try_for_each(|_| self.step.run())
    }
    /// What a window holds of it.
    pub(super) fn work(&self) -> Work {
        let (work, times) = (self.step.work(), self.together.saturating_mul(self.times));
        Work {
            flops: work.flops.saturating_mul(times),
            bytes: work.bytes.saturating_mul(times),
            items: work.items.saturating_mul(times),
            item: work.item,
        }
    }
    /// Compares the last result with the first, bit for bit. Errors: they differ, and then the machine computes wrongly under load.
    pub(super) fn verify(&mut self) -> Result<bool, Fault> {
        let Some(now) = self.step.digest()? else { return Ok(false) };
        let first = *self.first.get_or_insert(now);
        if first == now {
            return Ok(true);
        }
        Err(Fault::Device(format!(
            "{} came to {now:016x} under load, and to {first:016x} when it was found correct: the machine computes wrongly",
            self.id
        )))
    }
}
