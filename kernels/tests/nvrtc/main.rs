//! Every `.cu` file with every choice that its ops make, compiled by the real NVRTC for every architecture that it claims.
//!
//! No GPU is needed. `ci/nvrtc.sh` gets the compiler and the disassembler, as packages of Python of fixed versions, and runs this test.
#![expect(clippy::print_stdout, reason = "what is left out on this machine is said, not skipped silently")]

#[path = "../cuda/wrapper_units.rs"]
mod wrapper_units;

mod code;
mod every;

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

/// What is compiled: each file once for every architecture that it claims, and each of its choices for three of them, the oldest, the
/// newest (Spark's) and Hopper. `SPARK_BENCH_TEST_ALL` asks for each choice on every architecture, which takes many minutes.
fn pairs(units: &[Unit]) -> Vec<(&Unit, Arch)> {
    let all = std::env::var_os("SPARK_BENCH_TEST_ALL").is_some();
    let mut seen = HashSet::new();
    let mut pairs = Vec::new();
    for unit in units {
        let first = seen.insert((unit.source.path, unit.archs, unit.entries));
        let last = unit.archs.len().saturating_sub(1);
        let chosen = unit.archs.iter().enumerate();
        let chosen = chosen.filter(|(i, arch)| all || first || *i == 0 || *i == last || arch.major == 9);
        pairs.extend(chosen.map(|(_, arch)| (unit, *arch)));
    }
    pairs
}

#[test]
fn every_file_compiles_for_every_architecture_it_claims() {
    let Some(compiler) = real() else { return };
    let units = every::units();
    let pairs = pairs(&units);
    println!("{}: {} compilations of {} units", compiler.identity(), pairs.len(), units.len());
    let errors = shared(&pairs, |(unit, arch)| compiler.compile(unit, *arch).err());
    let failed: Vec<_> = errors.into_iter().flatten().collect();
    let words: Vec<_> = failed.iter().take(8).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), pairs.len(), words.join("\n"));
}

/// Registers, spills and tensor instructions of each kernel, the most over all choices, on the last architecture of its list.
#[test]
fn the_code_is_what_it_was() {
    let Some(compiler) = real() else { return };
    let Some(tools) = std::env::var_os("SPARK_BENCH_CUDA_TOOLS") else {
        println!(
            "left out, registers and tensor instructions: SPARK_BENCH_CUDA_TOOLS names no folder of nvdisasm and cuobjdump"
        );
        return;
    };
    let units = every::units();
    let seen = shared(&units, |unit| {
        let arch = *unit.archs.last().expect("a unit claims an architecture");
        let code = compiler.compile(unit, arch).unwrap_or_else(|why| panic!("{why}"));
        (format!("{} {arch}", unit.source.path), code::look(tools.as_ref(), &code))
    });
    let mut all: BTreeMap<String, code::Kernel> = BTreeMap::new();
    for (place, kernels) in seen {
        for (name, kernel) in kernels {
            all.entry(format!("{place} {name}")).or_default().add(&kernel);
        }
    }
    let now: String = all.iter().map(|(name, kernel)| format!("{name}: {kernel}\n")).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nvrtc/code.txt");
    if std::env::var_os("SPARK_BENCH_BLESS").is_some() {
        std::fs::write(path, &now).unwrap_or_else(|why| panic!("{path}: {why}"));
    }
    let was = std::fs::read_to_string(path).unwrap_or_default();
    let lines = |of: &str| of.lines().map(str::to_owned).collect::<Vec<_>>();
    let (was_lines, now_lines) = (lines(&was), lines(&now));
    let gone = was_lines.iter().filter(|line| !now_lines.contains(line)).map(|line| format!("- {line}"));
    let come = now_lines.iter().filter(|line| !was_lines.contains(line)).map(|line| format!("+ {line}"));
    let changes: Vec<_> = gone.chain(come).collect();
    let mend = "look at each, then: SPARK_BENCH_BLESS=1 bash ci/nvrtc.sh";
    assert!(changes.is_empty(), "the code of kernels changed ({mend}):\n{}", changes.join("\n"));
}
