//! What follows from a record, pinned on numbers worked out by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod made;

use spark_results::conditions::Energy;
use spark_results::record::{Outcome, Work};
use spark_results::roofline::Bound;
use spark_results::{Document, Entry, quantity, table};

#[test]
fn rates_shares_and_efficiency_of_a_record_made_by_hand() {
    let e = Entry::of(&made::measured(), false);
    assert_eq!((e.id.as_str(), e.status.as_str(), &e.reason), ("decode/cpu/scalar?model=tiny", "measured", &None));
    let time = e.time.unwrap();
    assert_eq!((time.median_ns, time.ci95_ns, time.samples, time.mad_ns), (1e9, Some([1e9, 1e9]), 5, 0.0));
    let rates = e.rates.unwrap();
    assert_eq!((rates.flops_per_s, rates.bytes_per_s, rates.items_per_s), (Some(100.0), Some(600.0), Some(4.0)));
    // The read roof gave 800 B/s before and 1600 after: 1200 on average, of which 600 B/s are a half; compute allows far more.
    let roof = e.roof.as_ref().unwrap();
    assert_eq!((roof.bound, roof.fraction, roof.roof_per_s), (Bound::Memory, 0.5, [Some(800.0), Some(1600.0)]));
    // 5 samples of 2 iterations of 4 tokens are 40 tokens over 20 J; the GPU's 5 J are not the CPU's.
    assert_eq!(e.efficiency.len(), 1);
    assert_eq!((e.efficiency[0].scope.as_str(), e.efficiency[0].items_per_joule), ("cpu", 2.0));
    assert_eq!((e.max_error, e.tolerance, e.metric("ttft").unwrap().value), (Some(1e-7), Some(1e-6), 1.5));
    assert!(
        e.notes.iter().any(|n| n == "a note") && e.notes.iter().any(|n| n.contains("moved by +100 %")),
        "{:?}",
        e.notes
    );
}

#[test]
fn what_was_not_measured_has_a_reason_and_no_number() {
    let document = Document::of(&made::run());
    let [measured, skipped, failed] = document.records.as_slice() else { panic!("one entry a record") };
    assert!(measured.time.is_some() && !measured.simulated);
    for (e, status, reason) in [(skipped, "skipped", "no amx here"), (failed, "failed", "NaN")] {
        assert_eq!((e.status.as_str(), e.reason.as_deref()), (status, Some(reason)));
        assert!(e.time.is_none() && e.rates.is_none() && e.roof.is_none() && e.energy.is_none() && e.work.is_none());
    }
    assert!(failed.simulated, "a record of a test double says so");
}

#[test]
fn work_of_a_kind_that_was_not_done_has_no_rate() {
    let mut record = made::measured();
    let Outcome::Measured(m) = &mut record.outcome else { panic!() };
    m.work = Work { bytes: 600, ..Work::default() };
    m.conditions.energy = Energy::Unavailable { reason: "no sensor".into() };
    let e = Entry::of(&record, false);
    let rates = e.rates.unwrap();
    assert_eq!((rates.flops_per_s, rates.bytes_per_s, rates.items_per_s), (None, Some(600.0), None));
    assert!(e.efficiency.is_empty());
    let Outcome::Measured(m) = &mut record.outcome else { panic!() };
    m.samples_ns.clear();
    let e = Entry::of(&record, false);
    assert!(
        e.time.is_none() && e.rates.is_none() && e.roof.is_none(),
        "a workload that timed itself has metrics, no time"
    );
    let Outcome::Measured(m) = &mut record.outcome else { panic!() };
    m.samples_ns = vec![0; 5];
    let e = Entry::of(&record, false);
    assert!(e.rates.unwrap().bytes_per_s.is_none() && e.roof.is_none(), "no time is no infinite rate: {:?}", e.roof);
}

#[test]
fn a_document_reads_back() {
    let document = Document::of(&made::run());
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), document);
}

#[test]
fn the_table_has_a_row_a_record_and_empty_cells_for_what_is_missing() {
    let csv = table::csv(&Document::of(&made::run())).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 4);
    let columns = lines[0].split(',').count();
    assert!(
        lines[1].starts_with("decode/cpu/scalar?model=tiny,decode,cpu,scalar,measured,,false,1000000000,"),
        "{}",
        lines[1]
    );
    assert!(lines.iter().all(|l| l.split(',').count() == columns), "{csv}");
    assert!(!lines[2].contains(",0,"), "a missing number is empty: {}", lines[2]);
}

#[test]
fn a_small_number_is_never_written_as_zero() {
    assert_eq!(quantity::digits(0.0), "0.00");
    for small in [4.2e-4, 3e-9, -1e-12] {
        let text = quantity::digits(small);
        assert!(text.parse::<f64>().unwrap().abs() > 0.0, "{small} is written {text}");
        assert!(!quantity::percent(small).starts_with("0.0 ") && !quantity::si(small, "W").starts_with("0.000 "));
    }
}
