//! For CI servers: JUnit XML, with ratios as properties.

use crate::Verdict;
use crate::gate::Gate;

/// A test case a benchmark: REGRESSION is a failure, BROKEN and MISSING are errors, INCONCLUSIVE is skipped. What is only watched
/// never fails.
pub fn junit(gate: &Gate) -> String {
    let count =
        |wanted: &[&str]| gate.rows.iter().filter(|row| !row.watched && wanted.contains(&row.verdict.name())).count();
    let (failures, errors) = (count(&["REGRESSION"]), count(&["BROKEN", "MISSING"]));
    let skipped = count(&["INCONCLUSIVE"]) + gate.left_over.len();
    let tests = gate.rows.len() + gate.left_over.len();
    let totals = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"");
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {totals}>\n<testsuite name=\"spark-bench gate\" {totals} hostname=\"{}\">\n\
         <properties><property name=\"baseline\" value=\"{}\"/><property name=\"candidate\" value=\"{}\"/>\
         <property name=\"calibration\" value=\"{}\"/></properties>\n",
        xml_escaped(&gate.host),
        xml_escaped(&gate.baseline),
        xml_escaped(&gate.candidate),
        xml_escaped(&gate.calibrated())
    );
    for row in &gate.rows {
        out += &format!("<testcase classname=\"spark-bench.gate\" name=\"{}\">", xml_escaped(&row.id));
        if let Some(effect) = row.effect {
            let property = |name: &str, value: f64| format!("<property name=\"{name}\" value=\"{value:.6}\"/>");
            out += &format!(
                "<properties>{}{}{}</properties>",
                property("ratio", effect.ratio),
                property("ratio_low", effect.ci95[0]),
                property("ratio_high", effect.ci95[1])
            );
        }
        let ratio = row.effect.map_or(String::new(), |e| format!("{:.3} of the baseline's time", e.ratio));
        out += &match &row.verdict {
            Verdict::Regression if !row.watched => {
                format!("<failure type=\"regression\" message=\"{}\"/>", xml_escaped(&ratio))
            }
            Verdict::Broken(why) if !row.watched => {
                format!("<error type=\"broken\" message=\"{}\"/>", xml_escaped(why))
            }
            Verdict::Missing if !row.watched => {
                "<error type=\"missing\" message=\"the candidate has no such benchmark\"/>".to_owned()
            }
            Verdict::Inconclusive(why) => format!("<skipped message=\"{}\"/>", xml_escaped(why)),
            verdict => format!("<system-out>{}</system-out>", xml_escaped(&verdict.to_string())),
        };
        out += "</testcase>\n";
    }
    for id in &gate.left_over {
        out += &format!(
            "<testcase classname=\"spark-bench.gate\" name=\"{}\"><skipped message=\"the budget ended before it\"/></testcase>\n",
            xml_escaped(id)
        );
    }
    out + "</testsuite>\n</testsuites>\n"
}

/// As XML text and attribute; control characters, which XML has no way to write, are left out.
pub fn xml_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '"' => out += "&quot;",
            '\'' => out += "&apos;",
            c => out.push(c),
        }
    }
    out
}
