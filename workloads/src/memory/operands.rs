//! One op with its operands in memory, run with this variant or with that.

use crate::workload::Decline;
use spark_kernels::{Buffer, Device, Fault, Host, Implementation, Io, Live, Op, Prepared, parity};
use spark_results::record::Check;
use std::sync::Arc;

/// How many elements of the outputs are compared with the reference.
const COMPARED: usize = 64;

/// Operands of an op, and a variant that was prepared for them.
pub(super) struct Operands {
    prepared: Box<dyn Prepared>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    live: Live,
}

impl Operands {
    /// Of `op` on `device`, for `how`, with the outcome of the check. Errors: no memory, or `how` cannot do it.
    pub(super) fn new<O: Op>(
        op: &O,
        how: &dyn Implementation<O>,
        device: &Arc<dyn Device>,
        seed: u64,
    ) -> Result<(Self, Check), Decline> {
        let device = &**device;
        let example = op.example(seed);
        let upload =
            |hosts: &[Host]| hosts.iter().map(|h| device.upload_to(h, op.placement())).collect::<Result<Vec<_>, _>>();
        let mut this = Self {
            prepared: how.prepare(op, &[], device)?,
            inputs: upload(&example.inputs)?,
            outputs: upload(&example.outputs)?,
            live: example.live.clone(),
        };
        this.run()?;
        let got = this.outputs.iter().map(|b| device.download(b)).collect::<Result<Vec<_>, _>>()?;
        let check = parity::compare(op, how.rounding(op), &example, &got, seed, COMPARED);
        let check = Check { max_error: check.max_error, tolerance: check.tolerance, compared: check.compared as u64 };
        Ok((this, check))
    }
    /// The same operands for another form of the op.
    pub(super) fn prepare<O: Op>(
        &mut self,
        op: &O,
        how: &dyn Implementation<O>,
        device: &dyn Device,
    ) -> Result<(), Fault> {
        self.prepared = how.prepare(op, &[], device)?;
        Ok(())
    }
    /// Runs once.
    pub(super) fn run(&mut self) -> Result<(), Fault> {
        let inputs: Vec<_> = self.inputs.iter().collect();
        let mut outputs: Vec<_> = self.outputs.iter_mut().collect();
        self.prepared.run(&mut Io { inputs: &inputs, outputs: &mut outputs, live: &self.live })
    }
    /// The first output.
    pub(super) fn output(&self) -> Option<&Buffer> {
        self.outputs.first()
    }
    /// Bytes of operands, and how many of them stand on huge pages.
    pub(super) fn pages(&self) -> (u64, Option<u64>) {
        let used = spark_kernels::cpu::pages::usage(self.inputs.iter().chain(&self.outputs).filter_map(Buffer::pages));
        (used.bytes, used.huge)
    }
}
