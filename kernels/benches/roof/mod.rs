//! The roofs beside a group of benches: multiply-adds and reads of this device, measured in the same process right before and after.

use spark_kernels::cpu::Cpu;
use spark_kernels::peak::Peak;
use spark_kernels::read::Read;
use spark_kernels::working_set::WorkingSet;
use spark_kernels::{Arithmetic, Device, Example, Host, Io, Live, Op, best};
use std::time::{Duration, Instant};

/// How long each roof is looked for: the fastest run counts, because others only take from it.
const LOOK: Duration = Duration::from_millis(200);

/// Runs `group` and prints to stderr what the device does at most, before and after it. A roof that moved by more than a few
/// percent says that shares of it mean little.
#[expect(clippy::print_stderr, reason = "a bench talks to whoever runs it")]
pub(crate) fn beside(cpu: &Cpu, group: impl FnOnce()) {
    let told = || {
        let peaks = [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8].map(|of| {
            let op = Peak::new(of, cpu.threads());
            format!("{} {:.0} GFLOP/s", of.name(), rate(&op, cpu, op.flops(&Live::one(1, 0))))
        });
        let op = Read(WorkingSet::new(WorkingSet::MEMORY, cpu.threads()));
        format!("{}, read {:.1} GB/s", peaks.join(", "), rate(&op, cpu, op.bytes(&Live::one(1, 0))))
    };
    eprintln!("roofs before, {} threads: {}", cpu.threads(), told());
    group();
    eprintln!("roofs after, {} threads: {}", cpu.threads(), told());
}

/// Billions of `work` a second of the fastest run of the best implementation.
fn rate<O: Op>(op: &O, cpu: &Cpu, work: u64) -> f64 {
    let Example { inputs, outputs, live, .. } = op.example(1);
    let upload = |hosts: &[Host]| hosts.iter().map(|h| cpu.upload(h).expect("memory for a roof")).collect::<Vec<_>>();
    let (inputs, mut outputs) = (upload(&inputs), upload(&outputs));
    let mut prepared =
        best(op, cpu).expect("a roof runs everywhere").prepare(op, &[], cpu).expect("a roof is supported");
    let (began, mut fastest) = (Instant::now(), f64::INFINITY);
    while began.elapsed() < LOOK || fastest.is_infinite() {
        let (inputs, mut outputs): (Vec<_>, Vec<_>) = (inputs.iter().collect(), outputs.iter_mut().collect());
        let start = Instant::now();
        prepared.run(&mut Io { inputs: &inputs, outputs: &mut outputs, live: &live }).expect("a roof runs");
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    work as f64 / fastest * 1e-9
}
