//! The committed runs of our own machines: each can stand as a baseline, and what cannot is found here.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use spark_results::published::{self, Kind};
use spark_results::{Run, baselines, store};
use std::collections::BTreeSet;
use std::path::Path;

/// Why `run`, kept in the folder of `fingerprint`, is no baseline.
fn refused(run: &Run, fingerprint: &str) -> Option<&'static str> {
    let m = &run.manifest;
    if m.devices.iter().any(|d| d.simulated) {
        return Some("a test double stood in for a device");
    }
    if m.build.profile == "debug" {
        return Some("a debug build");
    }
    if m.ended.as_ref().is_none_or(|ended| !ended.complete) {
        return Some("not complete");
    }
    (m.machine.fingerprint() != fingerprint).then_some("of another machine than its folder says")
}

#[test]
fn every_committed_run_can_be_a_baseline() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../results/baselines"));
    let mut there = Vec::new();
    for machine in std::fs::read_dir(root).unwrap().flatten().filter(|e| e.path().is_dir()) {
        let fingerprint = machine.file_name().into_string().unwrap();
        for folder in std::fs::read_dir(machine.path()).unwrap().flatten().map(|e| e.path()) {
            let run = store::read(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
            assert_eq!(refused(&run, &fingerprint), None, "{}", folder.display());
            let files: BTreeSet<_> =
                std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            let kept = [store::MANIFEST, store::RECORDS].map(str::to_owned);
            assert_eq!(files, BTreeSet::from(kept), "{}: what follows from these two is not kept", folder.display());
            there.push(format!("{fingerprint}/{}", folder.file_name().unwrap().to_string_lossy()));
        }
    }
    there.sort();
    let mut embedded: Vec<_> = baselines::STORED.iter().map(|(name, ..)| (*name).to_owned()).collect();
    embedded.sort();
    assert_eq!(there, embedded, "each folder has its line in results/src/baselines.rs");
    // What is embedded is listed as this project's own.
    let own = published::all().unwrap().iter().filter(|f| f.kind == Kind::Own);
    let named: BTreeSet<_> = own.map(|f| f.reference.trim_start_matches("results/baselines/").to_owned()).collect();
    assert!(named.iter().all(|name| embedded.contains(name)), "{named:?}");
}

#[test]
fn a_run_is_looked_for_in_its_machine_s_folder_and_what_is_no_baseline_is_named() {
    let place = Place::new();
    let line = ["all", "--suite", "smoke", "--device", "cpu", "--no-roofs", "--filter", "rmsnorm/*"];
    place.fine(&[&line[..], &["--out", "d", "--quiet"]].concat());
    let mut run = store::read(&place.at("d")).unwrap();
    let fingerprint = run.manifest.machine.fingerprint();
    run.manifest.build.profile = "release".into();
    assert_eq!(refused(&run, &fingerprint), None);
    assert_eq!(refused(&run, "another"), Some("of another machine than its folder says"));
    run.manifest.ended = None;
    assert_eq!(refused(&run, &fingerprint), Some("not complete"));
    std::fs::create_dir_all(place.at("results/baselines").join(&fingerprint)).unwrap();
    std::fs::rename(place.at("d"), place.at("results/baselines").join(&fingerprint).join("first")).unwrap();
    let said = place.fine(&[&line[..], &["--out", "e"]].concat());
    assert!(said.err.contains("1 stored runs of this machine"), "it was not found: {}", said.err);
}
