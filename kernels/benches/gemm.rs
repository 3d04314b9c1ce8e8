//! Gemm throughput by shape and implementation: FLOP/s, an integer multiply-add counting as 2. Nothing is timed that was not
//! found correct; decode reads cold weights, taking copies in turn that together exceed COLD.
//!
//! Behind criterion's lines stands the share of the arithmetic's `peak`, measured in turn with the gemm. Groups are named by
//! what is multiplied, so that one can be run: `cargo bench -p spark-kernels --bench gemm -- 'gemm/mxfp4×int8/'`, or one row of
//! it with its id.

mod roof;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use roof::Roof;
use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::{AxisValue, Buffer, Device, Host, Implementation, Io, Live, Op, Prepared, parity};
use std::time::Duration;

/// Decode of a 70-billion-parameter model's widest matrix, small batches and prefill of an 8-billion one's.
const SHAPES: [(usize, usize, usize); 4] = [(1, 8192, 28672), (8, 14336, 4096), (16, 4096, 14336), (512, 4096, 14336)];

/// Bytes of weights that one round of decode reads: four times the largest last-level cache in use.
const COLD: u64 = 1 << 30;

/// The slow path is shown on decode alone.
const SCALAR_FLOPS: u64 = 1 << 30;

fn id(op: &Gemm) -> String {
    let axis = |(name, value): (&str, AxisValue)| match value {
        AxisValue::Int(value) => format!("{name}={value}"),
        AxisValue::Text(value) => format!("{name}={value}"),
    };
    op.axes().into_iter().map(axis).collect::<Vec<_>>().join("&")
}

/// One implementation on one op, found correct, with as many copies of its weights as cold decode needs.
struct Ready {
    prepared: Vec<Box<dyn Prepared>>,
    turn: usize,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    live: Live,
}

impl Ready {
    fn new(op: &Gemm, implementation: &dyn Implementation<Gemm>, cpu: &Cpu) -> Self {
        let check = parity::check(op, implementation, cpu, 1, 64).expect("a supported op runs");
        assert!(check.passed(), "{} is wrong: {check:?}", implementation.name());
        let example = op.example(1);
        let upload = |hosts: &[Host]| -> Vec<Buffer> {
            hosts.iter().map(|host| cpu.upload(host).expect("memory for an example")).collect()
        };
        let weights = upload(&example.weights);
        let prepare = || implementation.prepare(op, &weights, cpu).expect("memory for packed weights");
        let mut prepared = vec![prepare()];
        while op.m == 1 && prepared.len() as u64 * prepared[0].resident() < COLD {
            prepared.push(prepare());
        }
        let (inputs, outputs) = (upload(&example.inputs), upload(&example.outputs));
        Self { prepared, turn: 0, inputs, outputs, live: example.live }
    }
    fn run(&mut self) {
        self.turn = (self.turn + 1) % self.prepared.len();
        self.prepared[self.turn]
            .run(&mut Io { inputs: &[&self.inputs[0]], outputs: &mut [&mut self.outputs[0]], live: &self.live })
            .expect("a prepared op runs");
    }
}

fn gemm(criterion: &mut Criterion) {
    let cpu = Cpu::new(None, 0);
    roof::beside(&cpu, || shapes_on(&cpu, criterion));
}

#[expect(clippy::print_stderr, reason = "a bench talks to whoever runs it")]
fn shapes_on(cpu: &Cpu, criterion: &mut Criterion) {
    let mut pairs: Vec<(Format, Activations)> = Gemm::nasty().iter().map(|op| (op.weights, op.activations)).collect();
    pairs.dedup();
    for &(weights, activations) in &pairs {
        let mut group = criterion.benchmark_group(format!("gemm/{weights}×{activations}"));
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        for (m, n, k) in SHAPES {
            let op = Gemm { m, n, k, weights, activations, bias: false };
            let flops = op.flops(&Live::one(m, 0));
            group.throughput(Throughput::Elements(flops));
            for implementation in Gemm::implementations() {
                let too_slow = implementation.name() == "scalar" && flops > SCALAR_FLOPS;
                if too_slow || implementation.supports(&op, cpu).is_err() {
                    continue;
                }
                // Made at the first call, which a filter may keep from coming.
                let mut ready = None;
                group.bench_function(BenchmarkId::new(implementation.name(), id(&op)), |bencher| {
                    let ready = ready.get_or_insert_with(|| Ready::new(&op, *implementation, cpu));
                    bencher.iter(|| ready.run());
                });
                if let Some(ready) = &mut ready {
                    let (share, _) = Roof::peak(op.arithmetic(), cpu).share(flops as f64, 7, || ready.run());
                    let roof = op.arithmetic().name();
                    eprintln!("    {:.1} % of the {roof} peak measured beside it", 100.0 * share);
                }
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    // Hundreds of rows: short windows, the report takes long ones.
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    targets = gemm
}
criterion_main!(benches);
