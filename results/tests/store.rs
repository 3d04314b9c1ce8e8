//! The run folder under kills, other versions, garbage and a system that refuses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod made;

use proptest::prelude::*;
use spark_results::BenchmarkId;
use spark_results::record::{Outcome, Record};
use spark_results::store::{self, MANIFEST, RECORDS, Store, StoreError, TELEMETRY};
use spark_results::telemetry::{Header, Line, Reading, Sample};
use std::fs;
use std::io::Write;
use std::path::Path;

fn skipped(n: u64) -> Record {
    made::record(
        BenchmarkId::new("gemm", "cpu", "é").with("n", n),
        Outcome::Skipped { reason: "no\nroom \u{1F980}".into() },
    )
}

/// A folder with a run of these records.
fn stored(records: &[Record]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), &made::manifest()).unwrap();
    for record in records {
        store.append(record).unwrap();
    }
    folder
}

/// The error's text, which must say where and what to do.
fn refused(folder: &Path) -> String {
    let error = store::read(folder).expect_err("this must be refused");
    let text = error.to_string();
    assert!(!text.contains('\n') && text.contains("; "), "one line with its mend: {text}");
    text
}

#[test]
fn what_is_appended_is_read() {
    let records = [made::measured(), skipped(1), made::run().records[2].clone()];
    let folder = stored(&records);
    let run = store::read(folder.path()).unwrap();
    assert_eq!((run.manifest.clone(), run.records.as_slice()), (made::manifest(), records.as_slice()));
    assert_eq!(run.remarks, ["telemetry.jsonl is missing"]);
    assert_eq!(run.unfinished(), ["never/cpu/scalar"]);
    assert!(run.simulated("cuda:0") && !run.simulated("cpu"));
    assert!(
        matches!(Store::create(folder.path(), &made::manifest()), Err(StoreError::Content { .. })),
        "a run is never overwritten"
    );
    assert_eq!(store::read(folder.path()).unwrap().records.len(), 3);
}

#[test]
fn a_kill_at_any_byte_of_the_last_line_costs_that_record_alone() {
    let folder = stored(&[made::measured(), skipped(1), skipped(2)]);
    let path = folder.path().join(RECORDS);
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|&b| b == b'\n').unwrap() + 1;
    for cut in last..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let run = store::read(folder.path()).unwrap();
        assert_eq!(run.records.len(), 2, "cut at {cut}");
        assert_eq!(run.remarks.iter().any(|r| r.contains("cut short")), cut > last, "cut at {cut}: {:?}", run.remarks);

        let (mut store, resumed) = Store::resume(folder.path()).unwrap();
        assert_eq!(resumed.records.len(), 2);
        store.append(&skipped(3)).unwrap();
        let run = store::read(folder.path()).unwrap();
        assert_eq!((run.records.len(), &run.records[2]), (3, &skipped(3)), "resumed after a cut at {cut}");
    }
}

#[test]
fn a_kill_before_the_first_record_leaves_an_empty_run() {
    let folder = stored(&[]);
    fs::remove_file(folder.path().join(RECORDS)).unwrap();
    let (mut store, run) = Store::resume(folder.path()).unwrap();
    assert!(run.records.is_empty() && run.remarks.iter().any(|r| r == "records.jsonl is missing"));
    store.append(&skipped(1)).unwrap();
    assert_eq!(store::read(folder.path()).unwrap().records, [skipped(1)]);
}

#[test]
fn a_manifest_is_replaced_whole() {
    let folder = stored(&[skipped(1)]);
    let (store, run) = Store::resume(folder.path()).unwrap();
    let mut manifest = run.manifest;
    manifest.ended = None;
    store.manifest(&manifest).unwrap();
    assert_eq!(store::read(folder.path()).unwrap().manifest, manifest);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is left beside the manifest and the records: {names:?}");
}

#[test]
fn telemetry_is_cut_back_and_continued_too() {
    let folder = stored(&[]);
    let line = |t_ns| store::telemetry_line(&Line::Sample(Sample { t_ns, ..Sample::default() })).unwrap();
    let mut file = store::telemetry_file(folder.path()).unwrap();
    file.write_all(&store::telemetry_line(&Line::Header(Header::default())).unwrap()).unwrap();
    let second = line(1);
    file.write_all(&second[..second.len() - 3]).unwrap();
    drop(file);
    let run = store::read(folder.path()).unwrap();
    assert_eq!(run.telemetry.len(), 1);
    assert!(run.remarks[0].contains("telemetry.jsonl was cut short"), "{:?}", run.remarks);
    store::telemetry_file(folder.path()).unwrap().write_all(&line(2)).unwrap();
    let run = store::read(folder.path()).unwrap();
    assert_eq!((run.telemetry.len(), run.remarks.len()), (2, 0));
}

#[test]
fn another_schema_is_refused_by_name() {
    let folder = stored(&[]);
    let path = folder.path().join(MANIFEST);
    let mut manifest = made::manifest();
    manifest.schema = "https://example.org/run/v9.json\u{1b}[31m".into();
    fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    let text = refused(folder.path());
    assert!(
        text.contains("run/v9.json")
            && text.contains("the version of spark-bench that wrote it")
            && !text.contains('\u{1b}'),
        "{text}"
    );
    for nothing in ["", "{", "[]", "null", "{\"schema\": 7}"] {
        fs::write(&path, nothing).unwrap();
        refused(folder.path());
    }
    fs::write(&path, [0xff, 0xfe, b'{']).unwrap();
    refused(folder.path());
    fs::remove_file(&path).unwrap();
    assert!(refused(folder.path()).contains("name a run folder"));
}

#[test]
fn a_manifest_cut_short_or_without_a_field_is_refused() {
    let folder = stored(&[]);
    let path = folder.path().join(MANIFEST);
    let whole = fs::read_to_string(&path).unwrap();
    for cut in (0..whole.trim_end().len()).step_by(7) {
        fs::write(&path, &whole[..cut]).unwrap();
        refused(folder.path());
    }
    let mut value: serde_json::Value = serde_json::from_str(&whole).unwrap();
    value.as_object_mut().unwrap().remove("machine");
    fs::write(&path, value.to_string()).unwrap();
    assert!(refused(folder.path()).contains("machine"));
}

#[test]
fn garbage_before_the_last_line_is_refused_with_its_line() {
    let folder = stored(&[skipped(1), skipped(2)]);
    let path = folder.path().join(RECORDS);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replacen('{', "[", 1)).unwrap();
    assert!(refused(folder.path()).contains("line 1"));
    fs::write(&path, format!("{whole}\n")).unwrap();
    assert!(refused(folder.path()).contains("line 3"), "an empty line is no record");
    fs::write(&path, format!("{whole}{{\"id\": 1}}\n")).unwrap();
    assert!(refused(folder.path()).contains("line 3"), "a whole line that is no record was not cut by a kill");
    let read = Store::resume(folder.path());
    assert!(read.is_err(), "what cannot be read is not continued");
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{whole}{{\"id\": 1}}\n"), "and stays as it was");
    fs::create_dir(folder.path().join(TELEMETRY)).unwrap();
    fs::write(&path, whole).unwrap();
    refused(folder.path());
}

#[test]
fn a_folder_that_cannot_be_made_or_written_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    fs::write(&file, "not a folder").unwrap();
    for place in [file.clone(), file.join("below")] {
        let error = Store::create(&place, &made::manifest()).expect_err("a file is no folder").to_string();
        assert!(error.contains("a-file") && error.contains("choose another folder with --out"), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let locked = folder.path().join("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
        // The superuser writes anywhere; for everybody else the folder is closed.
        if fs::write(locked.join("probe"), "").is_err() {
            let error =
                Store::create(&locked.join("run"), &made::manifest()).expect_err("no right to write").to_string();
            assert!(error.contains("choose a folder you can write to"), "{error}");
        }
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(manifest in prop::collection::vec(any::<u8>(), 0..80), records in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = stored(&[]);
        fs::write(folder.path().join(RECORDS), &records).unwrap();
        fs::write(folder.path().join(TELEMETRY), &records).unwrap();
        let _ = store::read(folder.path());
        let _ = Store::resume(folder.path());
        fs::write(folder.path().join(MANIFEST), &manifest).unwrap();
        prop_assert!(store::read(folder.path()).is_err());
    }

    /// Bytes changed within a true run reach deeper than noise does: what is read is also derived from.
    #[test]
    fn a_run_with_changed_bytes_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let folder = stored(&[made::measured(), skipped(1)]);
        for name in [MANIFEST, RECORDS] {
            let path = folder.path().join(name);
            let mut bytes = fs::read(&path).unwrap();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                // Digits for digits, so that many of the changed runs still parse.
                bytes[at] = if bytes[at].is_ascii_digit() { b'0' + byte % 10 } else { *byte };
            }
            fs::write(&path, bytes).unwrap();
        }
        if let Ok(run) = store::read(folder.path()) {
            let document = spark_results::Document::of(&run);
            let _ = spark_results::table::csv(&document);
        }
    }
}

#[test]
fn a_number_that_is_none_spoils_its_record_and_not_the_run() {
    let mut bad = made::measured();
    let Outcome::Measured(m) = &mut bad.outcome else { panic!() };
    m.metrics[0].value = f64::NAN;
    let folder = stored(&[bad.clone(), skipped(1)]);
    let reading =
        |value| Reading { quantity: "load".into(), scope: "cpu".into(), source: "s".into(), value, unit: "1".into() };
    let sample = Sample { t_ns: 1, slack_ns: 2, readings: vec![reading(f64::INFINITY), reading(0.5)] };
    let mut file = store::telemetry_file(folder.path()).unwrap();
    file.write_all(&store::telemetry_line(&Line::Sample(sample)).unwrap()).unwrap();
    let run = store::read(folder.path()).unwrap();
    assert_eq!((&run.records[0].id, &run.records[1]), (&bad.id, &skipped(1)));
    assert!(run.records[0].reason().unwrap().contains("not finite"), "{:?}", run.records[0]);
    assert_eq!(run.telemetry, [Line::Sample(Sample { t_ns: 1, slack_ns: 2, readings: vec![reading(0.5)] })]);
}

#[test]
fn amounts_beyond_all_reason_do_not_overflow() {
    let mut record = made::measured();
    let Outcome::Measured(m) = &mut record.outcome else { panic!() };
    (m.iterations, m.work.items, m.work.bytes) = (u64::MAX, u64::MAX, u64::MAX);
    m.samples_ns = vec![u64::MAX; 12];
    let folder = stored(&[record]);
    let run = store::read(folder.path()).unwrap();
    let entry = &spark_results::Document::of(&run).records[0];
    assert!(entry.efficiency[0].items_per_joule.is_finite());
}
