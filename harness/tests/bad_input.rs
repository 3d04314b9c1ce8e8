//! Whatever is wrong with what the program is given: exit code 2, one line with what, where and the mend, nothing half-written.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place};
use std::fs;

/// A small run in `d`.
fn with_run() -> Place {
    let place = Place::new();
    place.fine(&["run", "rmsnorm", "--width", "64", "--suite", "smoke", "--out", "d", "--quiet"]);
    place
}

#[test]
fn words_that_mean_nothing_are_refused_by_name() {
    let place = Place::new();
    let table: &[(&[&str], &str)] = &[
        (&["wibble"], "'wibble'"),
        (&["run"], "<WHAT>"),
        (&["run", "wibble"], "'wibble'"),
        (&["run", "gemm*nothing"], "'gemm*nothing'"),
        (&["run", "gemm", "--wibble", "1"], "'--wibble'"),
        (&["run", "gemm", "--suite", "tiny"], "smoke, standard, full"),
        (&["all", "--suite", "../etc"], "'../etc'"),
        (&["plan", "--suite", ""], "smoke, standard, full"),
        (&["run", "gemm", "--depth", "1"], "no axis 'depth'"),
        (&["run", "gemm", "--implementation", "fpga"], "'fpga'"),
        (&["run", "gemm", "--format", "fp3"], "fp3"),
        (&["run", "peak", "--type", "fp3"], "'fp3'"),
        (&["run", "gemm", "--device", "tpu"], "tpu"),
        (&["run", "gemm", "--device", "cpu", "--device", "cuda:9"], "cuda:9"),
        (&["run", "gemm", "--filter", "nothing"], "no id matches"),
        (&["all", "--filter", ""], "no id matches"),
        (&["list", "everything"], "'everything'"),
        (&["export", "d", "--format", "xml"], "'xml'"),
        (&["completions", "cmd"], "'cmd'"),
        (&["run", "decode", "--model", "gpt-9"], "gpt-9"),
    ];
    for (line, named) in table {
        let said = place.refused(line);
        assert!(said.contains(named), "{line:?} does not name {named}: {said}");
    }
    assert_eq!(fs::read_dir(place.at(".")).unwrap().count(), 0, "nothing was written");
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let place = Place::new();
    let table: &[(&[&str], &str)] = &[
        (&["run", "gemm", "--k", "33"], "k = 64"),
        (&["run", "gemm", "--m", "0"], "m is 0"),
        (&["run", "gemm", "--m", "-5"], "'-5'"),
        (&["run", "gemm", "--m", "1.5"], "'1.5'"),
        (&["run", "gemm", "--m", "one"], "'one'"),
        (&["run", "gemm", "--m", "1,,2"], "'1,,2'"),
        (&["run", "gemm", "--m", "18446744073709551615"], "2^40"),
        (&["run", "gemm", "--m", "99999999999999999999999"], "whole number"),
        (&["run", "gemm", "--m", "1099511627776", "--n", "1099511627776", "--k", "1099511627776"], "smaller shape"),
        (&["run", "gemm", "--m", "1099511627776", "--n", "16777216", "--k", "32"], "smaller shape"),
        (&["run", "gemm", "--m", "1099511627776", "--n", "32", "--k", "32"], "of memory"),
        (&["run", "attention", "--rows", "1099511627776", "--depth", "1099511627776"], "smaller depth"),
        (&["run", "attention", "--rows", "1099511627776", "--sequences", "1099511627776"], "sequences"),
        (&["run", "attention", "--sequences", "2"], "sequences"),
        (&["run", "attention", "--heads", "7"], "kv_heads"),
        (&["run", "read", "--bytes", "100"], "no multiple of 64"),
        (&["run", "read", "--bytes", "1099511627776"], "of memory"),
        (&["run", "chase", "--bytes", "1099511627776"], "256 GiB"),
        (&["run", "rope", "--rows", "1099511627776"], "capacity"),
        (&["run", "embed", "--vocab", "1099511627776"], "vocab"),
        (&["run", "sample", "--vocab", "1099511627776"], "vocab"),
        (&["run", "prefill", "--model", "tiny", "--n_prompt", "0"], "n_prompt is 0"),
        (&["run", "decode", "--model", "tiny", "--n_gen", "1099511627776"], "n_gen"),
        (&["run", "decode", "--model", "tiny", "--batch", "1099511627776"], "batch"),
        (&["run", "gemm", "--threads", "0"], "--threads"),
        (&["run", "gemm", "--threads", "-1"], "--threads"),
        (&["run", "gemm", "--threads", "100000"], "100000"),
        (&["run", "gemm", "--threads", "1,2"], "one number"),
        (&["run", "read", "--threads", "1,x"], "--threads"),
        (&["all", "--threads", "1,2"], "one whole number"),
        (&["all", "--seed", "-1"], "--seed"),
        (&["all", "--budget", "0"], "'0'"),
        (&["all", "--budget", "0s"], "'0s'"),
        (&["all", "--budget", "-1"], "'-1'"),
        (&["all", "--budget", "abc"], "'abc'"),
        (&["all", "--budget", "99999999999999999999h"], "no duration"),
    ];
    for (line, named) in table {
        let said = place.refused(line);
        assert!(said.contains(named), "{line:?} does not name {named}: {said}");
    }
    assert_eq!(fs::read_dir(place.at(".")).unwrap().count(), 0, "nothing was written");
}

#[test]
#[expect(clippy::print_stderr, reason = "what is not tested here is said")]
fn a_model_that_does_not_fit_is_declined_before_anything_is_allocated() {
    let place = Place::new();
    let mut command =
        place.command(&["run", "decode", "--model", "llama-3.3-70b", "--format", "f32", "--depth", "100000"]);
    // A machine on which this fits would be asked to run it: there the test says so and stops.
    let plenty = sysinfo::System::new().is_ok_and(|mut system| {
        system.refresh_memory();
        system.available_memory() > 300 << 30
    });
    if plenty {
        eprintln!("not tested here: this machine has room for 70 billion f32 weights");
        return;
    }
    let done: Done = command.output().unwrap().into();
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.err.contains("of memory") && done.err.contains("smaller shape or model"), "{done:?}");
    assert_eq!(fs::read_dir(place.at(".")).unwrap().count(), 0);
}

#[test]
fn folders_that_hold_no_run_or_another_one_are_refused() {
    let place = with_run();
    fs::create_dir(place.at("empty")).unwrap();
    fs::write(place.at("file"), "words").unwrap();
    let verbs: &[&[&str]] = &[
        &["report"],
        &["verify"],
        &["export"],
        &["all", "--suite", "smoke", "--resume"],
        &["run", "--resume"],
        &["all", "--suite", "smoke", "--filter", "sample*", "--out", "never", "--baseline"],
    ];
    let all = |what: &str, named: &str| {
        for verb in verbs {
            let said = place.refused(&[verb, &[what][..]].concat());
            assert!(said.contains(what) && said.contains(named), "{verb:?} {what}: {said}");
        }
    };
    all("nowhere", "run folder");
    all("empty", "run folder");
    all("file", "run folder");
    assert_eq!(fs::read_dir(place.at("empty")).unwrap().count(), 0, "looking at a folder leaves it as it was");

    let manifest = fs::read_to_string(place.at("d/run.json")).unwrap();
    let records = fs::read(place.at("d/records.jsonl")).unwrap();
    let with = |text: &str| fs::write(place.at("d/run.json"), text).unwrap();
    with(&manifest.replace("run/v1.json", "run/v2.json"));
    all("d", "its schema is");
    with(&manifest[..manifest.len() / 2]);
    all("d", "not a run manifest");
    with("{}");
    all("d", "its schema is none");
    with("\u{0}\u{1b}[31m");
    all("d", "not a run manifest");
    with(&manifest);
    for bad in [&b"{}\n"[..], b"\xff\xfe\n", b"null\n{\n"] {
        fs::write(place.at("d/records.jsonl"), [bad, &records].concat()).unwrap();
        all("d", "line 1");
    }
    fs::write(place.at("d/records.jsonl"), &records).unwrap();
    place.fine(&["verify", "d"]);
    assert!(!place.at("never").exists(), "a baseline is read before anything is measured");
}

#[test]
fn a_run_of_another_build_or_machine_is_not_continued() {
    let place = with_run();
    let manifest = fs::read_to_string(place.at("d/run.json")).unwrap();
    fs::write(place.at("d/run.json"), manifest.replacen("\"version\": \"", "\"version\": \"99.", 1)).unwrap();
    assert!(place.refused(&["all", "--resume", "d"]).contains("another build"));
    let architecture = format!("\"architecture\": \"{}\"", std::env::consts::ARCH);
    assert!(manifest.contains(&architecture));
    fs::write(place.at("d/run.json"), manifest.replacen(&architecture, "\"architecture\": \"z80\"", 1)).unwrap();
    assert!(place.refused(&["all", "--resume", "d"]).contains("another machine"));
}

#[test]
fn a_folder_that_holds_something_is_never_written_over() {
    let place = with_run();
    let run = ["run", "rmsnorm", "--width", "64", "--suite", "smoke", "--out"];
    let out = |folder: &str| place.refused(&[&run[..], &[folder]].concat());
    assert!(out("d").contains("holds a run already"));
    fs::remove_file(place.at("d/run.json")).unwrap();
    let records = fs::read(place.at("d/records.jsonl")).unwrap();
    assert!(out("d").contains("holds records.jsonl already"));
    assert_eq!(fs::read(place.at("d/records.jsonl")).unwrap(), records, "records whose manifest was lost are kept");
    fs::create_dir(place.at("mine")).unwrap();
    fs::write(place.at("mine/report.html"), "my own").unwrap();
    assert!(out("mine").contains("holds report.html already"));
    assert_eq!(fs::read_to_string(place.at("mine/report.html")).unwrap(), "my own");
    fs::write(place.at("file"), "words").unwrap();
    assert!(out("file").contains("choose another folder with --out"));
    assert!(out("file/below").contains("choose another folder with --out"));
    assert_eq!(fs::read_to_string(place.at("file")).unwrap(), "words");
}

#[cfg(target_os = "linux")]
#[test]
fn places_that_cannot_be_written_are_refused() {
    let place = with_run();
    let run = ["run", "rmsnorm", "--width", "64", "--suite", "smoke", "--out"];
    assert!(place.refused(&[&run[..], &["/proc/x"]].concat()).contains("choose a folder you can write to"));
    assert!(place.refused(&["report", "d", "--out", "/proc/x.html"]).contains("/proc/x.html"));
    assert!(place.refused(&["report", "d", "--out", "nowhere/x.html"]).contains("nowhere/x.html"));
    // A full disk behind stdout: the document would be half of one, so the exit code says it.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done: Done = place.command(&["export", "d"]).stdout(full).output().unwrap().into();
    assert!(done.code == Some(2) && done.err.contains("standard output"), "{done:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_no_utf8_is_a_path() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"r\xffn");
    let mut command = place.command(&["run", "rmsnorm", "--width", "64", "--suite", "smoke", "--quiet", "--out"]);
    assert_eq!(command.arg(name).output().unwrap().status.code(), Some(0));
    assert_eq!(place.command(&["verify"]).arg(name).output().unwrap().status.code(), Some(0));
    let done: Done = place.command(&["run"]).arg(name).output().unwrap().into();
    assert!(done.code == Some(2) && done.err.lines().count() == 1 && !done.err.contains("panicked"), "{done:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_that_was_measured() {
    let place = with_run();
    // A file that may not grow beyond the size of the manifest is refused as a full disk refuses it, without privileges.
    let records = fs::read(place.at("d/records.jsonl")).unwrap();
    let manifest = fs::metadata(place.at("d/run.json")).unwrap().len();
    let line = ["run", "rmsnorm", "swiglu", "--width", "64,128,256,512,1024", "--suite", "smoke", "--out", "e"];
    let mut command = std::process::Command::new("bash");
    // In blocks of 1 KiB; SIGXFSZ ignored makes the write itself fail.
    let blocks = (manifest / 1024 + 2).max(2 * records.len() as u64 / 1024 + 1);
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_spark-bench")]).args(line).current_dir(place.at("."));
    let done: Done = command.output().unwrap().into();
    assert_eq!(done.code, Some(2), "{done:?}");
    let last = done.err.lines().last().unwrap();
    assert!(last.starts_with("error: ") && last.contains("free some disk space"), "{done:?}");
    let run = spark_results::store::read(&place.at("e")).unwrap();
    assert!(!run.records.is_empty() && !run.unfinished().is_empty(), "{:?}", run.remarks);
    assert!(!fs::read_dir(place.at("e")).unwrap().any(|e| e.unwrap().path().extension().is_some_and(|x| x == "part")));
    place.fine(&["verify", "e"]);
    place.fine(&["run", "--resume", "e", "--suite", "smoke", "--quiet"]);
    place.fine(&["verify", "e"]);
}
