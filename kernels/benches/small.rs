//! The small ops at shapes of a small and a middle-sized model: every implementation in the list, warm. The roofs stand beside
//! the group; operands of one row stay in a cache, where `read` of such a working set (bench `roofs`) is the roof.

#![allow(missing_docs, reason = "criterion's macros make an undocumented main")]

mod roof;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spark_kernels::cpu::Cpu;
use spark_kernels::embed::Embed;
use spark_kernels::format::Format;
use spark_kernels::moe::{Route, Routing};
use spark_kernels::rmsnorm::RmsNorm;
use spark_kernels::rope::{Rope, Scaling};
use spark_kernels::sample::{Method, Sample};
use spark_kernels::swiglu::{Gate, SwiGlu};
use spark_kernels::{AxisValue, Buffer, Device, Fault, Host, Implementation, Io, Op, parity};

/// Times each implementation of `op` that this machine has and that the reference agrees with.
fn op<O: Op>(criterion: &mut Criterion, cpu: &Cpu, op: &O) {
    let axes = op.axes().into_iter().map(|(name, value)| match value {
        AxisValue::Int(value) => format!("{name}={value}"),
        AxisValue::Text(value) => format!("{name}={value}"),
    });
    let mut group = criterion.benchmark_group(format!("{}?{}", O::NAME, axes.collect::<Vec<_>>().join("&")));
    let example = op.example(1);
    group.throughput(Throughput::Bytes(op.bytes(&example.live)));
    for &implementation in O::implementations() {
        if implementation.supports(op, cpu).is_err() {
            continue;
        }
        let check = parity::check(op, implementation, cpu, 1, 1 << 10).expect("the op runs");
        assert!(check.passed(), "{} of {op:?} is wrong: {check:?}", implementation.name());
        let mut bench = Bench::new(op, implementation, cpu).expect("the op is prepared");
        group.bench_function(implementation.name(), |bencher| bencher.iter(|| bench.run().expect("the op runs")));
    }
    group.finish();
}

/// One implementation with its operands.
struct Bench {
    prepared: Box<dyn spark_kernels::Prepared>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    live: spark_kernels::Live,
}

impl Bench {
    fn new<O: Op>(op: &O, implementation: &dyn Implementation<O>, cpu: &Cpu) -> Result<Self, Fault> {
        let example = op.example(1);
        let upload = |hosts: &[Host]| hosts.iter().map(|host| cpu.upload(host)).collect::<Result<Vec<_>, _>>();
        let prepared = implementation.prepare(op, &upload(&example.weights)?, cpu)?;
        Ok(Self { prepared, inputs: upload(&example.inputs)?, outputs: upload(&example.outputs)?, live: example.live })
    }
    fn run(&mut self) -> Result<(), Fault> {
        self.prepared.run(&mut Io {
            inputs: &self.inputs.iter().collect::<Vec<_>>(),
            outputs: &mut self.outputs.iter_mut().collect::<Vec<_>>(),
            live: &self.live,
        })
    }
}

fn small(criterion: &mut Criterion) {
    let cpu = Cpu::new(None, 0);
    roof::beside(&cpu, || ops_on(&cpu, criterion));
}

fn ops_on(cpu: &Cpu, criterion: &mut Criterion) {
    for rows in [1, 512] {
        op(criterion, cpu, &RmsNorm::plain(rows, 4096, true, 1e-5));
        let (heads, kv_heads, head_dim, capacity) = (32, 8, 128, 4096);
        let (theta, scaling, eps) = (5e5, Scaling::None, 1e-6);
        let rope =
            Rope { rows, heads, kv_heads, head_dim, rotary: head_dim, capacity, theta, scaling, qk_norm: false, eps };
        op(criterion, cpu, &rope);
        op(criterion, cpu, &Rope { qk_norm: true, ..rope });
        op(criterion, cpu, &SwiGlu { rows, width: 14_336, gate: Gate::Silu });
        let (experts, active, seed) = (128, 8, 0);
        op(
            criterion,
            cpu,
            &Route { rows, experts, active, shared: 0, normalised: true, routing: Routing::Router, seed },
        );
        for format in Format::ALL {
            op(criterion, cpu, &Embed { rows, vocab: 1024, width: 4096, format, multiplier: 1.0 });
        }
    }
    for method in [Method::Greedy, Method::TopP { temperature: 0.8, top_p: 0.95, seed: 0 }] {
        op(criterion, cpu, &Sample { rows: 1, vocab: 128_256, method });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(600)).sample_size(20);
    targets = small
}
criterion_main!(benches);
