//! Memory runs out in the middle of a run: it ends in good order, or at once where the task in flight does not look, and goes on later.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place};
use spark_results::store;
use std::process::{Child, Stdio};

/// Small tasks without the roof of memory, which alone takes seconds to make.
const LINE: &[&str] = &["run", "peak", "rmsnorm", "swiglu", "sample", "--suite", "smoke", "--no-roofs", "--out", "d"];

/// Says how much memory the machine has left, in MiB, as a reader sees it: all at once.
fn left(place: &Place, mib: u64) {
    let folder = place.at("tree/proc");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!("MemTotal: 16777216 kB\nMemFree: 1024 kB\nMemAvailable: {} kB\n", mib << 10);
    std::fs::write(folder.join("next"), text).unwrap();
    std::fs::rename(folder.join("next"), folder.join("meminfo")).unwrap();
}

/// The program on that machine, once it has recorded something.
fn started(place: &Place) -> Child {
    let mut command = place.command(LINE);
    command.env("SPARK_BENCH_SYSROOT", place.at("tree")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    while program::whole_lines(&place.at("d/records.jsonl")) < 1 {
        assert!(child.try_wait().unwrap().is_none(), "it ended early: {:?}", child.wait_with_output());
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child
}

fn resumed(place: &Place) {
    left(place, 8192);
    let mut command = place.command(&["all", "--resume", "d", "--quiet"]);
    let done: Done = command.env("SPARK_BENCH_SYSROOT", place.at("tree")).output().unwrap().into();
    assert_eq!(done.code, Some(0), "{done:?}");
    let run = store::read(&place.at("d")).unwrap();
    assert!(run.unfinished().is_empty() && run.manifest.ended.is_some_and(|ended| ended.complete));
    place.fine(&["verify", "d"]);
}

#[test]
fn a_run_ends_in_good_order_before_memory_does_and_goes_on_later() {
    let place = Place::new();
    left(&place, 8192);
    let child = started(&place);
    // Below what has to stay free, and above half of it.
    left(&place, 300);
    let done: Done = child.wait_with_output().unwrap().into();
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.err.contains("300 MiB of memory were left") && done.err.contains("--resume"), "{done:?}");
    let run = store::read(&place.at("d")).unwrap();
    let ended = run.manifest.ended.clone().unwrap();
    assert_eq!((ended.complete, ended.reason.as_deref()), (false, Some("memory was about to run out")));
    assert!(!run.records.is_empty() && !run.unfinished().is_empty(), "{run:?}");
    assert!(run.manifest.absent.iter().any(|absent| absent.what == "the rest of the run"));
    place.fine(&["verify", "d"]);
    let kept = run.records;
    resumed(&place);
    assert_eq!(store::read(&place.at("d")).unwrap().records[..kept.len()], kept[..], "what was measured is kept");
}

#[test]
fn with_hardly_any_memory_left_it_ends_at_once_and_loses_no_record() {
    let place = Place::new();
    left(&place, 8192);
    let child = started(&place);
    left(&place, 64);
    let done: Done = child.wait_with_output().unwrap().into();
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.err.contains("ended at once"), "{done:?}");
    let run = store::read(&place.at("d")).unwrap();
    assert!(!run.records.is_empty() && run.manifest.ended.is_none());
    resumed(&place);
}
