//! A gate in everybody's words: nothing that comes from outside breaks out of its place.

use spark_gate::calibration::{Calibration, Cell};
use spark_gate::explained::{Explanation, Instructions};
use spark_gate::gate::Row;
use spark_gate::paired::Effect;
use spark_gate::{Gate, Verdict, told};

fn gate() -> Gate {
    let effect = Effect { ratio: 1.05, ci95: [1.04, 1.06], blocks: 20 };
    let row = |id: &str, verdict, effect| Row {
        id: id.into(),
        verdict,
        effect,
        slower_p: Some(0.001),
        floor: 0.02,
        watched: false,
        notes: Vec::new(),
        explanation: effect.map(|_| Explanation {
            instructions: Ok(Instructions { each: [100.0, 105.0], of: "gemm/cpu/y?m=1".into() }),
            bytes: Some([7, 7]),
            flops: None,
        }),
    };
    let cell = Cell { note: "quiet".into(), trials: 299, looked: 299, passes: 299, ..Cell::default() };
    Gate {
        baseline: "old <b>".into(),
        candidate: "new | pipe".into(),
        host: "a\"host\u{1}".into(),
        seed: 7,
        calibration: Some(Calibration { cells: vec![cell] }),
        rows: vec![
            row("gemm/cpu/x?m=1", Verdict::Regression, Some(effect)),
            row("read/cpu/x", Verdict::Inconclusive("50 % noise,\n: odd <i>".into()), Some(effect)),
            row("bad/cpu/x", Verdict::Broken("it's & \"crashed\"".into()), None),
        ],
        left_over: vec!["late/cpu/x".into()],
    }
}

#[test]
fn a_terminal_sees_verdicts_effects_and_what_they_are_worth() {
    let text = told::text(&gate());
    for part in [
        "REGRESSION",
        "+5.0 % (+4.0 … +6.0)",
        "20 blocks",
        "not judged",
        "false alarms ≤ 1.0 % (n = 299)",
        "seed 7",
        "+5.0 % instructions (100 → 105 an iteration, counted on gemm/cpu/y?m=1)",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn markdown_keeps_what_comes_from_outside_in_its_cell() {
    let text = told::markdown(&gate());
    assert!(
        text.contains("old &lt;b&gt; → new \\| pipe") && text.contains("+5.0 % instructions") && !text.contains("<i>"),
        "{text}"
    );
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(text.lines().filter(|line| line.starts_with('|')).all(|line| cells(line) == 5), "{text}");
    let many = Gate { rows: vec![gate().rows[0].clone(); 5000], ..gate() };
    assert!(told::markdown(&many).len() < 65_536 && told::markdown(&many).contains("more rows"));
}

#[test]
fn junit_is_well_formed_and_counts() {
    let xml = told::junit(&gate());
    assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"2\""), "{xml}");
    assert!(xml.contains("it&apos;s &amp; &quot;crashed&quot;") && xml.contains("a&quot;host\""), "{xml}");
    assert!(xml.contains("name=\"ratio\" value=\"1.050000\""), "{xml}");
    assert_eq!(xml.matches("<testcase").count(), 4);
    assert_eq!(xml.matches("</testcase>").count(), 4);
}

#[test]
fn annotations_are_one_line_each() {
    let text = told::annotations(&gate());
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("::error title=spark-bench gate%3A gemm/cpu/x?m=1::+5.0 %25"), "{text}");
    assert!(text.contains("::warning") && text.contains("50 %25 noise,%0A"), "{text}");
}

#[test]
fn machines_read_numbers() {
    let bmf: serde_json::Value = serde_json::from_str(&told::bmf(&gate())).expect("JSON");
    assert_eq!(bmf["gemm/cpu/x?m=1"]["time-ratio"]["value"], 1.05);
    assert!(bmf.get("bad/cpu/x").is_none(), "what was not measured has no number");
    let list: serde_json::Value = serde_json::from_str(&told::benchmarks(&gate())).expect("JSON");
    assert_eq!(list[0]["value"], 1.05);
    let all: serde_json::Value = serde_json::from_str(&told::json(&gate())).expect("JSON");
    let known = &all["calibration"]["together"];
    assert_eq!((&known["trials"], &known["alarms"]), (&299.into(), &0.into()), "{all}");
    assert!(known["false_alarms_at_most"].as_f64().is_some_and(|share| (share - 0.00997).abs() < 1e-4), "{all}");
    assert_eq!(all["calibration"]["conditions"][0]["detects"], serde_json::Value::Null);
    assert_eq!(all["rows"][0]["explanation"]["instructions"][1], 105.0);
    assert_eq!((&all["result"], &all["rows"][2]["ratio"]), (&"failed".into(), &serde_json::Value::Null));
}
