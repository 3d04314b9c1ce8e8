//! `ci/peer.sh` with programs that print made-up rows: the ratio it comes to, and what it refuses.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A program that prints a row with `bytes` of weights and a time that differs from call to call, as `times` says: the first
/// call takes the first time, and so on. llama-bench and spark-bench write the same fields.
fn program(folder: &Path, name: &str, bytes: u64, times: &[u64]) -> PathBuf {
    let (path, calls) = (folder.join(name), folder.join(format!("{name}.calls")));
    let times: Vec<_> = times.iter().map(u64::to_string).collect();
    let text = format!(
        r#"#!/bin/sh
if [ "$1" = --version ]; then echo "spark-bench 9.8.7"; exit; fi
echo "$0 $*" >>'{calls}'
set -- $(wc -l <'{calls}') {times}
shift "$1"
echo '{{"n_prompt": 8, "n_gen": 0, "n_depth": 0, "n_threads": 1, "samples_ns": ['"$1"'], "backends": "CPU",
"cpu_info": "a made-up CPU", "build_commit": "abc", "build_number": 7, "model_type": "made up", "model_size": {bytes},
"model_n_params": 1000, "type_k": "f16"}}' | tr -d '\n'
echo
"#,
        calls = calls.display(),
        times = times.join(" "),
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A folder with a file that begins like a GGUF.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.gguf"), "GGUF and nothing else").unwrap();
    folder
}

fn peer(folder: &Path, ours: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/peer.sh");
    let mut command = Command::new("bash");
    command.arg(script).args(arguments).current_dir(folder).env("SPARK_BENCH", ours);
    for (name, value) in [("THREADS", "1"), ("DEPTHS", "0"), ("ACTIVATIONS", "int8g32")] {
        command.env(name, value);
    }
    command.envs(settings.iter().copied()).output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// It has to end with 2 and a line that says each of `words`.
fn refused(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
}

#[test]
fn rounds_are_paired_and_their_ratios_averaged_as_logarithms() {
    let folder = folder();
    // The machine is slower in the second round, which hides nothing: the ratios are 2, 4, 2 and 4.
    let theirs = program(folder.path(), "llama-bench", 1000, &[4_000_000, 16_000_000, 4_000_000, 8_000_000]);
    let ours = program(folder.path(), "ours", 1001, &[2_000_000, 4_000_000, 2_000_000, 2_000_000]);
    let both = [theirs.to_str().unwrap(), "model.gguf"];
    let table = out(&peer(folder.path(), &ours, &both, &[("ROUNDS", "4")]));
    // sqrt(8) = 2.83; the logarithms deviate by ln 2 / sqrt 3 = 0.400, so that half the interval is 3.182 * 0.400 / 2 = 0.637.
    assert!(table.contains("| pp8 | 1 | 4 | 1500.0 | 4000.0 | 2.83 (1.50 … 5.35) |"), "{table}");
    for word in ["a made-up CPU", "abc (7)", "spark-bench 9.8.7", "1000 bytes", "1001 bytes", "int8g32"] {
        assert!(table.contains(word), "{word} in {table}");
    }
    let asked = fs::read_to_string(folder.path().join("llama-bench.calls")).unwrap();
    assert_eq!(asked.matches("-p 512 -n 128 -d 0 -t 1 -r 2 -o jsonl -fa 1").count(), 4, "{asked}");
    let asked = fs::read_to_string(folder.path().join("ours.calls")).unwrap();
    assert_eq!(asked.matches("llm -m llama-3.2-1b --format mxfp4 --activations int8g32").count(), 4, "{asked}");
}

#[test]
fn the_order_turns_round_by_round_and_two_rounds_give_a_range() {
    let folder = folder();
    // Both write their calls into one file, by which the order shows.
    let theirs = program(folder.path(), "llama-bench", 1000, &[6_000_000; 2]);
    let ours = program(folder.path(), "ours", 1000, &[2_000_000, 3_000_000]);
    let rows = folder.path().join("rows");
    let settings = [("ROUNDS", "2"), ("ROWS", rows.to_str().unwrap())];
    let table = out(&peer(folder.path(), &ours, &[theirs.to_str().unwrap(), "model.gguf"], &settings));
    assert!(table.contains("2.45 (range 2.00 … 3.00)"), "{table}");
    let rows = fs::read_to_string(rows).unwrap();
    let order: Vec<_> = rows.lines().map(|line| line.split('{').next().unwrap().trim()).collect();
    assert_eq!(order, ["peer 1", "int8g32 1", "int8g32 2", "peer 2"]);
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_mend() {
    let folder = folder();
    let at = folder.path();
    let theirs = program(at, "llama-bench", 1000, &[6_000_000; 9]);
    let ours = program(at, "ours", 1000, &[2_000_000; 9]);
    let larger = program(at, "larger", 1050, &[2_000_000; 9]);
    let theirs = theirs.to_str().unwrap();
    fs::write(at.join("text"), "no model").unwrap();
    let broken = at.join("broken");
    fs::write(&broken, "#!/bin/sh\necho out of luck >&2\nexit 3\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();

    refused(&peer(at, &ours, &[theirs], &[]), &["usage"]);
    refused(&peer(at, &ours, &["nowhere", "model.gguf"], &[]), &["nowhere", "llama-bench"]);
    refused(&peer(at, &ours, &[theirs, "missing.gguf"], &[]), &["missing.gguf", "peer-model.py"]);
    refused(&peer(at, &ours, &[theirs, "text"], &[]), &["no GGUF", "peer-model.py"]);
    refused(&peer(at, &ours, &[theirs, "model.gguf", "tiny", "q5_k"], &[]), &["q5_k", "mxfp4"]);
    refused(&peer(at, &ours, &[theirs, "model.gguf"], &[("ROUNDS", "0")]), &["'0'", "ROUNDS"]);
    refused(&peer(at, &ours, &[theirs, "model.gguf"], &[("DEPTHS", "-1")]), &["'-1'", "DEPTHS"]);
    refused(&peer(at, Path::new("absent"), &[theirs, "model.gguf"], &[]), &["absent", "SPARK_BENCH"]);
    refused(&peer(at, &broken, &[theirs, "model.gguf"], &[]), &["out of luck", "llm -m"]);
    refused(&peer(at, &larger, &[theirs, "model.gguf"], &[]), &["not the same model", "1050", "FORMAT"]);
}
