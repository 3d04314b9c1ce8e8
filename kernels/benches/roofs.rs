//! The machine's roofs: `cargo bench -p spark-kernels --bench roofs`. Every implementation is checked before it is timed.
//!
//! Before criterion's own lines stands a table of `peak` in multiply-add instructions a cycle, against the clock measured on
//! the same cores right after each burst: a whole number is what the ports can do.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spark_kernels::chase::Chase;
use spark_kernels::copy::Copy;
use spark_kernels::cpu::Cpu;
use spark_kernels::cpu::pool::{allowed_cpus, unpin};
use spark_kernels::peak::Peak;
use spark_kernels::read::Read;
use spark_kernels::triad::Triad;
use spark_kernels::working_set::WorkingSet;
use spark_kernels::write::Write;
use spark_kernels::{Arithmetic, Buffer, Device, Example, Host, Io, Live, Op, Prepared, parity};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// An op with its operands, checked.
struct Ready {
    prepared: Box<dyn Prepared>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    live: Live,
}

impl Ready {
    fn run(&mut self) {
        let (inputs, mut outputs): (Vec<_>, Vec<_>) = (self.inputs.iter().collect(), self.outputs.iter_mut().collect());
        let mut io = Io { inputs: &inputs, outputs: &mut outputs, live: &self.live };
        self.prepared.run(&mut io).expect("a checked op runs");
    }
}

/// Every implementation that this machine supports, ready to run.
fn each<O: Op>(op: &O, cpu: &Cpu, mut with: impl FnMut(&'static str, &mut Ready)) {
    let Example { inputs, outputs, live, .. } = op.example(1);
    let upload = |hosts: &[Host]| hosts.iter().map(|h| cpu.upload(h).expect("memory")).collect::<Vec<_>>();
    let (mut inputs, mut outputs) = (upload(&inputs), upload(&outputs));
    for &implementation in O::implementations() {
        if implementation.supports(op, cpu).is_err() {
            continue;
        }
        let small = O::nasty().into_iter().find(|op| implementation.supports(op, cpu).is_ok()).expect("a small shape");
        let check = parity::check(&small, implementation, cpu, 1, 1024).expect("a supported op runs");
        assert!(check.passed(), "{}: {check:?}", implementation.name());
        let prepared = implementation.prepare(op, &[], cpu).expect("supported");
        let mut ready = Ready { prepared, inputs, outputs, live: live.clone() };
        with(implementation.name(), &mut ready);
        (inputs, outputs) = (ready.inputs, ready.outputs);
    }
}

fn bench<O: Op>(criterion: &mut Criterion, op: &O, threads: usize, label: &str) {
    let cpu = device(threads);
    let live = Live::one(1, 0);
    let mut group = criterion.benchmark_group(format!("{}/{label}/{threads}t", O::NAME));
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.throughput(match op.flops(&live) {
        flops if O::NAME == "peak" => Throughput::Elements(flops),
        _ if O::NAME == "chase" => Throughput::Elements(op.bytes(&live) / 64),
        _ => Throughput::Bytes(op.bytes(&live)),
    });
    each(op, &cpu, |name, ready| {
        group.bench_function(name, |b| b.iter(|| ready.run()));
    });
}

/// `peak` in instructions a cycle: the best of many bursts, each followed by a look at the clock of the same cores.
#[expect(clippy::print_stderr, reason = "a bench talks to whoever runs it")]
fn instructions_a_cycle(threads: usize) {
    let cpu = device(threads);
    for of in [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8] {
        let op = Peak::new(of, threads);
        let flops = op.flops(&Live::one(1, 0)) as f64;
        each(&op, &cpu, |name, ready| {
            let mut best = (0.0, 0.0, 0.0);
            for _ in 0..if name == "scalar" { 5 } else { 200 } {
                let start = Instant::now();
                ready.run();
                let rate = flops / start.elapsed().as_secs_f64();
                let clock = cpu.core_clocks().into_iter().fold(f64::INFINITY, f64::min);
                let each = op.per_instruction(name).unwrap_or(1) as f64;
                if rate > best.0 {
                    best = (rate, clock, rate / (each * threads as f64 * clock));
                }
            }
            let (rate, clock, a_cycle) = (best.0 / 1e9, best.1 / 1e9, best.2);
            let unit = if op.per_instruction(name).is_some() { "instructions" } else { "operations" };
            eprintln!(
                "peak {:5} {name:12} {threads} threads {rate:7.0} G/s at {clock:.2} GHz: {a_cycle:.3} {unit} a cycle",
                of.name()
            );
        });
    }
}

/// A device with `threads` workers. The pool before it pinned this thread, and a pinned thread may use one CPU only.
fn device(threads: usize) -> Cpu {
    static CPUS: LazyLock<Vec<usize>> = LazyLock::new(allowed_cpus);
    unpin(&CPUS);
    Cpu::new(Some(threads), 0)
}

fn roofs(criterion: &mut Criterion) {
    let cores = device(1).threads().max(allowed_cpus().len());
    let mut counts = vec![1, cores];
    counts.dedup();
    for &threads in &counts {
        instructions_a_cycle(threads);
    }
    for threads in counts {
        for of in [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8] {
            bench(criterion, &Peak::new(of, threads), threads, of.name());
        }
        for (bytes, label) in [(16 << 10, "16KiB"), (1 << 20, "1MiB"), (WorkingSet::MEMORY, "1GiB")] {
            let set = WorkingSet::new(bytes, threads);
            bench(criterion, &Read(set), threads, label);
            bench(criterion, &Write(set), threads, label);
            bench(criterion, &Copy(set), threads, label);
            bench(criterion, &Triad(set), threads, label);
        }
    }
    for (bytes, label) in [(16 << 10, "16KiB"), (1 << 20, "1MiB"), (64 << 20, "64MiB"), (WorkingSet::MEMORY, "1GiB")] {
        bench(criterion, &Chase::new(bytes), 1, label);
    }
}

criterion_group!(benches, roofs);
criterion_main!(benches);
