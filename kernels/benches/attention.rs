//! Every attention implementation at shapes of real models: `cargo bench -p spark-kernels --bench attention`.
//!
//! Decode states bytes a second (the cache is read once), prefill floating-point operations a second. Each is checked first.
#![allow(missing_docs, reason = "criterion's macros make an undocumented main")]

mod roof;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spark_kernels::attention::{Attention, KvType};
use spark_kernels::cpu::Cpu;
use spark_kernels::{Buffer, Device, Io, Op, parity};

fn shapes() -> Vec<Attention> {
    let shape = |rows, depth, heads, kv_heads, head_dim, kv| Attention {
        rows,
        depth,
        kv,
        ..Attention::new(heads, kv_heads, head_dim)
    };
    let mut shapes = Vec::new();
    for &kv in KvType::ALL {
        // llama-3.2-1b, llama-3.1-8b, llama-2-7b.
        for (heads, kv_heads, head_dim) in [(32, 8, 64), (32, 8, 128), (32, 32, 128)] {
            shapes.extend([4096, 32768].map(|depth| shape(1, depth, heads, kv_heads, head_dim, kv)));
            shapes.extend([0, 4096].map(|depth| shape(512, depth, heads, kv_heads, head_dim, kv)));
        }
    }
    shapes
}

fn attention(criterion: &mut Criterion) {
    let cpu = Cpu::new(None, 0);
    roof::beside(&cpu, || shapes_on(&cpu, criterion));
}

fn shapes_on(cpu: &Cpu, criterion: &mut Criterion) {
    for op in shapes() {
        let example = op.example(1);
        let decode = op.rows == op.sequences;
        let axes: Vec<_> = op.axes().into_iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let mut group = criterion.benchmark_group(format!("attention?{}", axes.join("&")));
        let work = if decode { op.bytes(&example.live) } else { op.flops(&example.live) };
        group.throughput(if decode { Throughput::Bytes(work) } else { Throughput::Elements(work) }).sample_size(10);
        for implementation in Attention::implementations() {
            let name = implementation.name();
            if implementation.supports(&op, cpu).is_err() || (name == "scalar" && work > 1 << 30) {
                continue;
            }
            let check = parity::check(&op, *implementation, cpu, 1, 96).expect("it runs");
            assert!(check.passed(), "{name}, {op:?}: {check:?}");
            let input = cpu.upload(&example.inputs[0]).expect("memory for the operands");
            let upload = |host| cpu.upload(host).expect("memory for the operands");
            let mut outputs: Vec<Buffer> = example.outputs.iter().map(upload).collect();
            let mut prepared = implementation.prepare(&op, &[], cpu).expect("it is supported");
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let mut lent: Vec<_> = outputs.iter_mut().collect();
                    prepared
                        .run(&mut Io { inputs: &[&input], outputs: &mut lent, live: &example.live })
                        .expect("it ran before");
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, attention);
criterion_main!(benches);
