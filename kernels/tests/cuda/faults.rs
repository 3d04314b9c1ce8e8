//! What the doubles find in kernels that are wrong, and what the host path makes of a GPU that fails.

use crate::double::{on, within};
use spark_kernels::cuda::arch::{FROM_SM80, SM90A};
use spark_kernels::cuda::launch::{Args, Grid};
use spark_kernels::cuda::source::{Source, Unit};
use spark_kernels::cuda::{self, Gpu};
use spark_kernels::format::Format;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::{Device, Fault, Host, Placement, Type, best, named, parity};

static MISTAKES: Source = Source { path: "tests/cuda/mistakes.cu", text: include_str!("mistakes.cu") };
static BROKEN: Source =
    Source { path: "tests/cuda/broken.cu", text: "extern \"C\" __global__ void f(int* x) { x[0] = y; }\n" };

/// What 64 threads of one of the mistakes leave in 32 numbers that began as 1, 2, 3 …, or the fault.
fn run(gpu: &Gpu, entry: &str, threads: u32) -> Result<Vec<f32>, Fault> {
    let unit = Unit::plain(&MISTAKES, FROM_SM80, &["apart"]);
    let function = gpu.module(&unit)?.function(entry)?;
    let numbers: Vec<f32> = (1..=32_u8).map(f32::from).collect();
    let mut x = gpu.upload(&numbers.into())?;
    gpu.launch(&function, Grid::line(1, threads), Args::new().write(&mut x))?;
    gpu.wait()?;
    match gpu.download(&x)? {
        Host::F32(values) => Ok(values),
        other => panic!("no floats: {other:?}"),
    }
}

macro_rules! mistakes {
    ($($name:ident: $threads:literal;)*) => {$(
        #[test]
        fn $name() {
            on(concat!("faults::", stringify!($name)), "gb10", |gpu| {
                let found = run(gpu, stringify!($name), $threads);
                assert!(matches!(found, Err(Fault::Lost(_))), "{found:?}");
                // The error is there to stay: whatever is asked next fails too.
                assert!(gpu.wait().is_err() && gpu.lost().is_some());
            });
        }
    )*};
}
mistakes! {
    apart: 64;
    shuffle: 32;
    operations: 32;
    misaligned: 1;
    behind: 32;
    trap: 32;
}

#[test]
fn what_was_never_written_reads_as_nan() {
    on("faults::what_was_never_written_reads_as_nan", "gb10", |gpu| {
        for entry in ["unset", "unwaited"] {
            let got = run(gpu, entry, 32);
            assert!(got.as_ref().is_ok_and(|got| got.iter().all(|x| x.is_nan())), "{entry}: {got:?}");
        }
        let got = run(gpu, "waited", 32).unwrap_or_else(|why| panic!("{why}"));
        let want: Vec<f32> = (0..32_u8).map(|i| if i < 4 { 0.0 } else { 2.0 * f32::from(32 - i) }).collect();
        assert_eq!(got, want);
    });
}

#[test]
fn a_launch_that_no_gpu_takes_is_refused_and_harms_nothing() {
    on("faults::a_launch_that_no_gpu_takes_is_refused_and_harms_nothing", "gb10", |gpu| {
        assert!(run(gpu, "waited", 2048).is_err_and(|e| e.to_string().contains("INVALID_VALUE")));
        assert!(run(gpu, "no_such_kernel", 32).is_err_and(|e| e.to_string().contains("no_such_kernel")));
        let other = Unit::plain(&MISTAKES, SM90A, &["waited"]);
        assert!(gpu.module(&other).is_err_and(|e| e.to_string().contains("sm_90a")));
        let said =
            gpu.module(&Unit::plain(&BROKEN, FROM_SM80, &["f"])).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains("tests/cuda/broken.cu:1") && said.contains("'y'"), "{said}");
        assert!(run(gpu, "waited", 32).is_ok());
    });
}

macro_rules! demands {
    ($($name:ident, $faults:literal: $body:expr;)*) => {$(
        #[test]
        fn $name() {
            within(concat!("faults::", stringify!($name)), &[("SPARK_CUDA_DOUBLE_FAULTS", $faults)], || $body());
        }
    )*};
}
demands! {
    a_driver_without_a_gpu_is_a_reason, "no-device": || assert!(cuda::count().is_err_and(|e| e.0.contains("NO_DEVICE")));
    a_driver_that_does_not_start_is_a_reason, "init": || assert!(cuda::count().is_err_and(|e| e.0.contains("does not start")));
    a_gpu_that_another_process_holds_is_a_reason, "busy": || assert!(Gpu::open(0).is_err_and(|e| e.0.contains("DEVICE_UNAVAILABLE")));
    an_old_driver_is_a_reason, "old-driver": || {
        let ran = Gpu::open(0).map_err(|e| e.0).and_then(|gpu| run(&gpu, "waited", 32).map_err(|e| e.to_string()));
        assert!(ran.as_ref().is_err_and(|e| e.contains("UNSUPPORTED_PTX_VERSION")), "{ran:?}");
    };
    memory_ends_where_it_is_said_to, "memory@1048576": || {
        let gpu = Gpu::open(0).unwrap_or_else(|why| panic!("{why}"));
        let most = gpu.alloc(Type::U8, 1 << 21, Placement::Fast);
        assert!(matches!(most, Err(Fault::OutOfMemory { bytes: 2_097_152 })), "{most:?}");
        assert!(run(&gpu, "waited", 32).is_ok());
    };
    a_launch_that_fails_is_a_fault_and_stays_one, "launch-failed@2": || {
        let gpu = Gpu::open(0).unwrap_or_else(|why| panic!("{why}"));
        assert!(run(&gpu, "waited", 32).is_ok());
        assert!(matches!(run(&gpu, "waited", 32), Err(Fault::Lost(why)) if why.contains("LAUNCH_FAILED")));
        assert!(run(&gpu, "waited", 32).is_err());
    };
    a_gpu_that_is_lost_is_a_fault, "lost@2": || {
        let gpu = Gpu::open(0).unwrap_or_else(|why| panic!("{why}"));
        assert!(run(&gpu, "waited", 32).is_ok() && run(&gpu, "waited", 32).is_err());
        assert!(gpu.alloc(Type::F32, 1, Placement::Fast).is_err());
    };
}

#[test]
fn a_compiler_that_is_not_there_is_named_with_its_package() {
    let none = &[("SPARK_BENCH_NVRTC", "/nowhere/libnvrtc.so.13")];
    within("faults::a_compiler_that_is_not_there_is_named_with_its_package", none, || {
        let why = cuda::nvrtc::compiler().err().map(|e| e.0).unwrap_or_default();
        assert!(why.contains("nvidia-cuda-nvrtc"), "{why}");
        // What needs no compiler goes on: the device opens, and keeps what is written.
        assert!(Gpu::open(0).is_ok());
    });
}

macro_rules! cublaslt {
    ($($name:ident, $variable:literal = $value:literal: $said:literal;)*) => {$(
        #[test]
        fn $name() {
            within(concat!("faults::", stringify!($name)), &[($variable, $value)], || {
                let gpu = Gpu::open(0).unwrap_or_else(|why| panic!("{why}"));
                let op = Gemm { m: 2, n: 16, k: 32, weights: Format::Bf16, activations: Activations::Bf16, bias: false };
                let how = named::<Gemm>("cublaslt").unwrap_or_else(|why| panic!("{why}"));
                let checked = parity::check(&op, how, &gpu, 1, 64);
                assert!(checked.as_ref().is_err_and(|why| why.to_string().contains($said)), "{checked:?}");
                // The others do it.
                assert!(best(&op, &gpu).is_ok());
            });
        }
    )*};
}
cublaslt! {
    a_cublaslt_that_is_not_there_is_named_with_its_package, "SPARK_BENCH_CUBLASLT" = "/nowhere/libcublasLt.so.13": "nvidia-cublas";
    a_cublaslt_that_does_not_start_is_a_fault, "SPARK_CUBLASLT_DOUBLE_FAULTS" = "init": "cublasLtCreate: the library was not initialized";
    a_shape_without_an_algorithm_is_a_reason, "SPARK_CUBLASLT_DOUBLE_FAULTS" = "no-algorithm": "no algorithm for it";
    a_product_that_fails_is_a_fault, "SPARK_CUBLASLT_DOUBLE_FAULTS" = "matmul": "cublasLtMatmul: the product failed to execute";
}
