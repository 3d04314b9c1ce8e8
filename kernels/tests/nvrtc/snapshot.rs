//! What came out of the compiler the last time, one file for each `.cu`: registers, stack and tensor instructions of its kernels.

use crate::code::Kernel;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Lines `sm_121a gemm_fp4_128: …` of a `.cu` file.
pub(crate) type Seen = BTreeMap<String, Kernel>;

fn folder() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nvrtc/snapshot").into()
}

/// `gemm/naive.cu` is held in `gemm-naive.txt`.
fn name(path: &str) -> String {
    format!("{}.txt", path.trim_end_matches(".cu").replace('/', "-"))
}

/// Compares what was seen, by the path of the `.cu` file, with what is held; with `SPARK_BENCH_BLESS` holds it from now on. Panics with
/// the lines that differ.
pub(crate) fn compare(all: &BTreeMap<&str, Seen>) {
    let bless = std::env::var_os("SPARK_BENCH_BLESS").is_some();
    let mut changes = Vec::new();
    let mut known = BTreeSet::new();
    for (path, seen) in all {
        let (file, now) = (folder().join(name(path)), text(seen));
        let was = fs::read_to_string(&file).unwrap_or_default();
        known.insert(name(path));
        if was == now {
            continue;
        }
        if bless {
            fs::create_dir_all(folder())
                .and_then(|()| fs::write(&file, &now))
                .unwrap_or_else(|why| panic!("{path}: {why}"));
            continue;
        }
        let gone = was.lines().filter(|line| !now.lines().any(|l| l == *line)).map(|line| format!("- {path} {line}"));
        let come = now.lines().filter(|line| !was.lines().any(|l| l == *line)).map(|line| format!("+ {path} {line}"));
        changes.extend(gone.chain(come));
    }
    for entry in fs::read_dir(folder()).into_iter().flatten().flatten() {
        let held = entry.file_name().to_string_lossy().into_owned();
        if known.contains(&held) {
            continue;
        }
        if bless {
            fs::remove_file(entry.path()).unwrap_or_else(|why| panic!("{held}: {why}"));
        } else {
            changes.push(format!("- {held}, whose .cu file is compiled no more"));
        }
    }
    let mend = "look at each, then: SPARK_BENCH_BLESS=1 bash ci/nvrtc.sh";
    assert!(changes.is_empty(), "the code of kernels changed ({mend}):\n{}", changes.join("\n"));
}

fn text(seen: &Seen) -> String {
    seen.iter().map(|(name, kernel)| format!("{name}: {kernel}\n")).collect()
}
