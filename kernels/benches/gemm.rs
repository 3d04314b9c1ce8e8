//! Gemm throughput by shape and implementation: FLOP/s, an integer multiply-add counting as 2. Nothing is timed that was not found correct.

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::{AxisValue, Buffer, Device, Io, Op, parity};

/// Decode, a small batch and prefill, at the sizes of an 8-billion-parameter model's widest matrix.
const SHAPES: [(usize, usize, usize); 3] = [(1, 14336, 4096), (8, 14336, 4096), (512, 4096, 14336)];

/// The slow path is shown on decode alone.
const SCALAR_FLOPS: u64 = 1 << 30;

fn id(op: &Gemm) -> String {
    let axis = |(name, value): (&str, AxisValue)| match value {
        AxisValue::Int(value) => format!("{name}={value}"),
        AxisValue::Text(value) => format!("{name}={value}"),
    };
    op.axes().into_iter().map(axis).collect::<Vec<_>>().join("&")
}

fn gemm(criterion: &mut Criterion) {
    let cpu = Cpu::new(None, 0);
    let mut pairs: Vec<(Format, Activations)> = Gemm::nasty().iter().map(|op| (op.weights, op.activations)).collect();
    pairs.dedup();
    for (m, n, k) in SHAPES {
        for &(weights, activations) in &pairs {
            let op = Gemm { m, n, k, weights, activations, bias: false };
            let example = op.example(1);
            let upload = |hosts: &[spark_kernels::Host]| -> Vec<Buffer> {
                hosts.iter().map(|host| cpu.upload(host).expect("memory for an example")).collect()
            };
            let (weights, inputs, mut outputs) =
                (upload(&example.weights), upload(&example.inputs), upload(&example.outputs));
            let mut group = criterion.benchmark_group("gemm");
            group
                .sampling_mode(SamplingMode::Flat)
                .sample_size(10)
                .throughput(Throughput::Elements(op.flops(&example.live)));
            for implementation in Gemm::implementations() {
                let too_slow = implementation.name() == "scalar" && op.flops(&example.live) > SCALAR_FLOPS;
                if too_slow || implementation.supports(&op, &cpu).is_err() {
                    continue;
                }
                let check = parity::check(&op, *implementation, &cpu, 1, 64).expect("a supported op runs");
                assert!(check.passed(), "{} is wrong: {check:?}", implementation.name());
                let mut prepared = implementation.prepare(&op, &weights, &cpu).expect("a supported op is prepared");
                group.bench_function(BenchmarkId::new(implementation.name(), id(&op)), |bencher| {
                    bencher.iter(|| {
                        prepared
                            .run(&mut Io {
                                inputs: &inputs.iter().collect::<Vec<_>>(),
                                outputs: &mut outputs.iter_mut().collect::<Vec<_>>(),
                                live: &example.live,
                            })
                            .expect("a prepared op runs");
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, gemm);
criterion_main!(benches);
