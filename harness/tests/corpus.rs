//! The fuzz targets without a fuzzer: every file of the corpus as it is, cut short and with bytes changed, in every run of the tests.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../../fuzz/targets.rs"]
mod targets;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::path::Path;

/// Changed copies of each file, unless `SPARK_BENCH_FUZZ_COPIES` says how many: ci/fuzz.sh asks for more.
const COPIES: u32 = 40;

fn copies() -> u32 {
    std::env::var("SPARK_BENCH_FUZZ_COPIES").ok().map_or(COPIES, |count| count.parse().unwrap())
}

fn replay(name: &str, target: fn(&[u8])) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Files of other programs lie with the tests that read them.
    let folders = [here.join("../fuzz/corpus").join(name), here.join("tests").join(name)];
    let found = folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<_> = found.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no files");
    let mut runner =
        TestRunner::new(ProptestConfig { cases: copies(), failure_persistence: None, ..Default::default() });
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        target(&bytes);
        let strategy = (any::<prop::sample::Index>(), changes.clone());
        let outcome = runner.run(&strategy, |(end, changes)| {
            let mut changed = bytes.clone();
            // Half of the copies are cut short.
            let cut = end.index(2 * bytes.len() + 1);
            changed.truncate(cut);
            for (at, byte) in changes {
                if !changed.is_empty() {
                    let at = at.index(changed.len());
                    changed[at] = byte;
                }
            }
            target(&changed);
            Ok(())
        });
        assert!(outcome.is_ok(), "{}: {outcome:?}", file.display());
    }
}

#[test]
fn configs() {
    replay("config", targets::config);
}

#[test]
fn gguf_files() {
    replay("gguf", targets::gguf);
}

#[test]
fn results_of_others() {
    replay("import", targets::import);
}

#[test]
fn safetensors_files() {
    replay("safetensors", targets::safetensors);
}

#[test]
fn suites() {
    replay("suite", targets::suite);
}

#[test]
fn stored_runs() {
    replay("run", targets::run);
}

#[test]
fn ids_and_globs() {
    replay("id", targets::id);
}
