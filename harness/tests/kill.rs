//! `kill -9` and Ctrl-C at any moment: what was measured is on disk, the report can be had, and the run can be continued.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place, whole_lines};
use spark_results::store;

/// Small tasks without the roof of memory, which alone takes seconds to make.
const LINE: &[&str] = &["run", "peak", "rmsnorm", "swiglu", "sample", "--suite", "smoke", "--out", "d"];
const TASKS: usize = 6;

#[test]
fn a_run_killed_at_any_moment_is_reported_verified_and_continued() {
    // Killed as soon as the manifest stands, and with one, two and three records.
    for records in 0..4 {
        let place = Place::new();
        let file = if records == 0 { "d/run.json" } else { "d/records.jsonl" };
        let mut child = place.started(LINE, file, records.max(1));
        child.kill().unwrap();
        child.wait().unwrap();
        let left = store::read(&place.at("d")).unwrap();
        assert!(left.records.len() >= records && left.manifest.ended.is_none(), "{left:?}");
        place.fine(&["report", "d"]);
        assert!(place.fine(&["verify", "d"]).out.contains("verified"));
        if records < 2 {
            continue;
        }
        // As a kill in the middle of a write leaves it.
        let path = place.at("d/records.jsonl");
        let whole = std::fs::read(&path).unwrap();
        let line = whole.split_inclusive(|byte| *byte == b'\n').next().unwrap();
        std::fs::write(&path, [&whole[..], &line[..line.len() / 2]].concat()).unwrap();
        place.fine(&["all", "--resume", "d", "--quiet"]);
        let run = store::read(&place.at("d")).unwrap();
        assert_eq!((run.records.len(), run.unfinished().len()), (TASKS, 0));
        assert_eq!(run.records[..left.records.len()], left.records[..], "what was measured is not measured again");
        assert!(run.manifest.ended.is_some_and(|ended| ended.complete) && run.remarks.is_empty());
        assert!(run.records.windows(2).all(|pair| pair[0].ended_ns <= pair[1].began_ns), "one clock over both parts");
        place.fine(&["verify", "d"]);
    }
}

#[test]
fn ctrl_c_ends_in_good_order_with_what_was_measured() {
    use rustix::process::{Pid, Signal, kill_process};
    let place = Place::new();
    let child = place.started(LINE, "d/records.jsonl", 1);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let done: Done = child.wait_with_output().unwrap().into();
    assert_eq!(done.code, Some(130), "{done:?}");
    let run = store::read(&place.at("d")).unwrap();
    let ended = run.manifest.ended.clone().unwrap();
    assert_eq!((ended.complete, ended.reason.as_deref()), (false, Some("interrupted")));
    assert!(!run.records.is_empty() && run.records.len() + run.unfinished().len() == TASKS);
    assert_eq!(whole_lines(&place.at("d/results.csv")), run.records.len() + 1);
    assert!(done.err.contains("--resume"), "it says how to go on: {done:?}");
    let verified = place.fine(&["verify", "d"]).out;
    assert!(verified.contains("report.html") && verified.contains("results.csv"), "{verified}");
    // Only one may write a run at a time, and what stands there is never replaced by another.
    assert!(place.refused(LINE).contains("holds a run already"));
}

#[test]
fn two_programs_do_not_write_one_run() {
    let place = Place::new();
    let mut first = place.started(LINE, "d/records.jsonl", 1);
    let said = place.refused(&["all", "--resume", "d"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(said.contains("another process is writing this run"), "{said}");
    place.fine(&["verify", "d"]);
}
