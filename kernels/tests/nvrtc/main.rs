//! Every `.cu` file with every choice that its ops make, compiled by the real NVRTC, and what code comes out.
//!
//! No GPU is needed. `ci/nvrtc.sh` gets the compiler and the disassembler, as packages of Python of fixed versions, and runs this test.
#![expect(clippy::print_stdout, reason = "what is left out on this machine is said, not skipped silently")]

#[path = "../cuda/wrapper_units.rs"]
mod wrapper_units;

mod code;
mod every;
mod snapshot;

use spark_kernels::cuda::arch::Arch;
use spark_kernels::cuda::nvrtc::{Compiler, compiler};
use spark_kernels::cuda::source::Unit;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The real compiler; `None` where there is none, which is a failure only where `ci/nvrtc.sh` has just installed it.
fn real() -> Option<&'static Compiler> {
    let wanted = std::env::var_os("SPARK_BENCH_TEST_NVRTC").is_some();
    let why = match compiler() {
        Ok(compiler) if !compiler.identity().contains("double") => return Some(compiler),
        Ok(double) => format!("{} is not the real one", double.identity()),
        Err(why) => why.to_string(),
    };
    assert!(!wanted, "{why}");
    println!("left out, every .cu file × every architecture: {why}; ci/nvrtc.sh gets it");
    None
}

/// Does `work` on each of `items`, on all cores.
fn shared<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(item);
                    done.lock().expect("no test panics with it").push(result);
                }
            });
        }
    });
    done.into_inner().expect("no test panics with it")
}

/// One compilation, and whether what comes out is held in the snapshot.
struct Job<'a> {
    unit: &'a Unit,
    arch: Arch,
    held: bool,
}

/// What is compiled: the first choice of each file (of the wrappers' tests, of each of its parts) for every architecture that it claims, the
/// others for the newest, Spark's. `SPARK_BENCH_TEST_ALL` asks for each choice on every architecture, which takes many minutes. The snapshot holds the
/// oldest, Hopper and the newest.
fn jobs(units: &[Unit]) -> Vec<Job<'_>> {
    let all = std::env::var_os("SPARK_BENCH_TEST_ALL").is_some();
    let mut seen = HashSet::new();
    let mut jobs = Vec::new();
    for unit in units {
        let part = unit.defines.iter().find(|(name, _)| *name == "WHAT");
        let first = seen.insert((unit.source.path, unit.archs, part));
        let last = unit.archs.len().saturating_sub(1);
        for (i, arch) in unit.archs.iter().copied().enumerate() {
            let held = i == last || (first && (i == 0 || arch.major == 9));
            if held || first || all {
                jobs.push(Job { unit, arch, held });
            }
        }
    }
    jobs
}

#[test]
fn every_file_compiles_to_the_code_it_did_for_every_architecture_it_claims() {
    let Some(compiler) = real() else { return };
    let tools = std::env::var_os("SPARK_BENCH_CUDA_TOOLS");
    if tools.is_none() {
        println!(
            "left out, registers and tensor instructions: SPARK_BENCH_CUDA_TOOLS names no folder of nvdisasm and cuobjdump"
        );
    }
    let units = every::units();
    let jobs = jobs(&units);
    println!("{}: {} compilations of {} units", compiler.identity(), jobs.len(), units.len());
    let done = shared(&jobs, |Job { unit, arch, held }| {
        let (code, words) = compiler.compile_aloud(unit, *arch).map_err(|why| why.to_string())?;
        // Of wgmma that waits for itself, for one.
        if words.contains("Performance Loss") {
            return Err(format!("{} for {arch}: {words}", unit.source.path));
        }
        let Some(tools) = tools.as_ref().filter(|_| *held) else { return Ok(None) };
        // Every wrapper of a tensor instruction stands in a header of this name.
        let kernels = code::look(tools.as_ref(), &code, unit.source.text.contains("mma"));
        Ok(Some((unit.source.path, *arch, kernels)))
    });
    let mut all: BTreeMap<&str, snapshot::Seen> = BTreeMap::new();
    let mut failed = Vec::new();
    for job in done {
        match job {
            Ok(None) => {}
            Ok(Some((path, arch, kernels))) => {
                for (name, kernel) in kernels {
                    all.entry(path).or_default().entry(format!("{arch} {name}")).or_default().add(&kernel);
                }
            }
            Err(why) => failed.push(why),
        }
    }
    let words = failed.iter().take(8).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failed.is_empty(), "{} of {} failed:\n{words}", failed.len(), jobs.len());
    if tools.is_some() {
        snapshot::compare(&all);
    }
}
