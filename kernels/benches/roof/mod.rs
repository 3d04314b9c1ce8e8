//! The roofs beside a group of benches: multiply-adds and reads of this device, measured in the same process right before and after.

// Each bench is a crate of its own and takes what it needs of this.
#![allow(dead_code, reason = "some benches take shares of one roof, others the roofs beside a group")]

use spark_kernels::cpu::Cpu;
use spark_kernels::peak::Peak;
use spark_kernels::read::Read;
use spark_kernels::working_set::WorkingSet;
use spark_kernels::{Arithmetic, Buffer, Device, Example, Host, Io, Live, Op, Prepared, best};
use std::time::{Duration, Instant};

/// How long each roof is looked for: the fastest run counts, because others only take from it.
const LOOK: Duration = Duration::from_millis(200);

/// Runs `group` and prints to stderr what the device does at most, before and after it. A roof that moved by more than a few
/// percent says that shares of it mean little.
#[expect(clippy::print_stderr, reason = "a bench talks to whoever runs it")]
pub(crate) fn beside(cpu: &Cpu, group: impl FnOnce()) {
    let told = || {
        let peaks = [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8]
            .map(|of| format!("{} {:.0} GFLOP/s", of.name(), Roof::peak(of, cpu).fastest() * 1e-9));
        format!("{}, read {:.1} GB/s", peaks.join(", "), Roof::read(cpu).fastest() * 1e-9)
    };
    eprintln!("roofs before, {} threads: {}", cpu.threads(), told());
    group();
    eprintln!("roofs after, {} threads: {}", cpu.threads(), told());
}

/// One roof, ready to be measured beside something.
pub(crate) struct Roof {
    work: f64,
    prepared: Box<dyn Prepared>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    live: Live,
}

impl Roof {
    /// Operations a second of `of` on all threads.
    pub(crate) fn peak(of: Arithmetic, cpu: &Cpu) -> Self {
        let op = Peak::new(of, cpu.threads());
        Self::of(&op, cpu, op.flops(&Live::one(1, 0)))
    }
    /// Bytes a second read from memory by all threads.
    pub(crate) fn read(cpu: &Cpu) -> Self {
        let op = Read(WorkingSet::new(WorkingSet::MEMORY, cpu.threads()));
        Self::of(&op, cpu, op.bytes(&Live::one(1, 0)))
    }
    fn of<O: Op>(op: &O, cpu: &Cpu, work: u64) -> Self {
        let Example { inputs, outputs, live, .. } = op.example(1);
        let upload = |hosts: &[Host]| hosts.iter().map(|h| cpu.upload(h).expect("memory for a roof")).collect();
        let best = best(op, cpu).expect("a roof runs everywhere");
        let prepared = best.prepare(op, &[], cpu).expect("a roof is supported");
        Self { work: work as f64, prepared, inputs: upload(&inputs), outputs: upload(&outputs), live }
    }
    /// Work a second of one run.
    pub(crate) fn once(&mut self) -> f64 {
        let (inputs, mut outputs): (Vec<_>, Vec<_>) = (self.inputs.iter().collect(), self.outputs.iter_mut().collect());
        let start = Instant::now();
        self.prepared.run(&mut Io { inputs: &inputs, outputs: &mut outputs, live: &self.live }).expect("a roof runs");
        self.work / start.elapsed().as_secs_f64()
    }
    /// Work a second of the fastest run within [`LOOK`].
    pub(crate) fn fastest(&mut self) -> f64 {
        let (began, mut most) = (Instant::now(), self.once());
        while began.elapsed() < LOOK {
            most = most.max(self.once());
        }
        most
    }
    /// The medians, over `times` runs, of the share that `run`, whose work is `work`, has of the roof right before and after it,
    /// and of that roof.
    pub(crate) fn share(&mut self, work: f64, times: usize, mut run: impl FnMut()) -> (f64, f64) {
        let (mut shares, mut roofs): (Vec<f64>, Vec<f64>) = (0..times)
            .map(|_| {
                let before = self.once();
                let started = Instant::now();
                run();
                let rate = work / started.elapsed().as_secs_f64();
                let roof = f64::midpoint(before, self.once());
                (rate / roof, roof)
            })
            .unzip();
        let median = |of: &mut Vec<f64>| {
            of.sort_by(f64::total_cmp);
            of[of.len() / 2]
        };
        (median(&mut shares), median(&mut roofs))
    }
}
