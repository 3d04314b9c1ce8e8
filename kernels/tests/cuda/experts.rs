//! Experts' projections by tiles of every height, at fewer tokens than they were prepared for, and with ids that are none.

use crate::double::on;
use spark_kernels::cuda::Gpu;
use spark_kernels::format::Format;
use spark_kernels::gemm::Activations;
use spark_kernels::moe::{Experts, Routing};
use spark_kernels::{Device, Example, Host, Index, Io, Live, Op, Prepared, named, parity};

fn run(gpu: &Gpu, prepared: &mut dyn Prepared, example: &Example) -> Vec<f32> {
    let up = |host: &Host| gpu.upload(host).unwrap_or_else(|why| panic!("{why}"));
    let (inputs, mut y) = (example.inputs.iter().map(up).collect::<Vec<_>>(), up(&example.outputs[0]));
    let inputs: Vec<_> = inputs.iter().collect();
    let done = prepared.run(&mut Io { inputs: &inputs, outputs: &mut [&mut y], live: &example.live });
    done.unwrap_or_else(|why| panic!("{why}"));
    match gpu.download(&y) {
        Ok(Host::F32(values)) => values,
        other => panic!("no floats: {other:?}"),
    }
}

/// So many choices an expert that 150 tokens take tiles of 128 rows, 20 tiles of 32 and 3 tiles of 8.
fn shape(weights: Format, activations: Activations, combine: bool) -> Experts {
    let routing = Routing::Zipf;
    Experts { rows: 150, experts: 3, active: 2, n: 32, k: 96, weights, activations, bias: true, combine, routing }
}

#[test]
fn tiles_of_every_height_agree_with_the_reference() {
    on("experts::tiles_of_every_height_agree_with_the_reference", "gb10", |gpu| {
        for (name, weights, activations) in [
            ("mma-sm80", Format::Mxfp4, Activations::Int8g32),
            ("mma-sm80", Format::Fp8, Activations::Bf16),
            ("mma-sm120a", Format::Nvfp4, Activations::Nvfp4),
        ] {
            for combine in [false, true] {
                let op = shape(weights, activations, combine);
                let how = named::<Experts>(name).unwrap_or_else(|why| panic!("{why}"));
                let mut example = op.example(3);
                let on_gpu = example.weights.iter().map(|host| gpu.upload(host)).collect::<Result<Vec<_>, _>>();
                let on_gpu = on_gpu.unwrap_or_else(|why| panic!("{why}"));
                let mut prepared = how.prepare(&op, &on_gpu, gpu).unwrap_or_else(|why| panic!("{name}: {why}"));
                for tokens in [150, 20, 3, 0, 149] {
                    example.live = Live::one(tokens, 0);
                    example.outputs = vec![vec![7.5_f32; op.outputs()[0].len].into()];
                    let got = run(gpu, &mut *prepared, &example);
                    let live = op.rows_out(tokens) * op.n;
                    let indices: Vec<_> = (0..live).map(|at| Index { output: 0, at }).collect();
                    let expected = op.reference(&example, &indices);
                    let error = parity::max_error(got.iter().map(|y| f64::from(*y)).take(live), &expected);
                    assert!(error <= op.tolerance(), "{name}, {op:?}, {tokens} tokens: {error:e}");
                    assert!(got[live..].iter().all(|y| *y == 7.5), "{name}: rows beyond {tokens} tokens are written");
                }
            }
        }
    });
}

#[test]
fn an_id_that_is_none_is_seen_as_nan() {
    on("experts::an_id_that_is_none_is_seen_as_nan", "gb10", |gpu| {
        for combine in [false, true] {
            let op = Experts { rows: 12, ..shape(Format::Bf16, Activations::Bf16, combine) };
            let how = named::<Experts>("mma-sm80").unwrap_or_else(|why| panic!("{why}"));
            let mut example = op.example(4);
            let Host::U32(ids) = &mut example.inputs[1] else { panic!("ids are words") };
            ids[5] = 4711;
            let weights = example.weights.iter().map(|host| gpu.upload(host)).collect::<Result<Vec<_>, _>>();
            let weights = weights.unwrap_or_else(|why| panic!("{why}"));
            let mut prepared = how.prepare(&op, &weights, gpu).unwrap_or_else(|why| panic!("{why}"));
            let got = run(gpu, &mut *prepared, &example);
            let rows: Vec<_> = got.chunks(op.n).map(|row| row.iter().filter(|y| y.is_nan()).count()).collect();
            // Of choices the last place of all; of tokens that of choice 5.
            let wrong = if combine { 5 / op.active } else { rows.len() - 1 };
            assert!(rows.iter().enumerate().all(|(row, nan)| *nan == if row == wrong { op.n } else { 0 }), "{rows:?}");
        }
    });
}
