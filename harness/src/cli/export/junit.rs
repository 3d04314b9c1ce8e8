//! For CI servers: JUnit XML, a test case a record.

use super::numbers::{self, Number, slug};
use spark_gate::told::xml_escaped;
use spark_results::{Document, Entry, Run};

/// A measured record passes, with its numbers as properties; a failed one is an error; one that was skipped, reported by another
/// program or never reached is skipped, with the reason.
pub(super) fn text(run: &Run, document: &Document) -> String {
    let numbers = numbers::of(run);
    let unfinished = run.unfinished();
    let count = |status: &[&str]| document.records.iter().filter(|e| status.contains(&e.status.as_str())).count();
    let simulated = document.records.iter().filter(|e| e.simulated && e.status == "measured").count();
    let totals = format!(
        "tests=\"{}\" failures=\"0\" errors=\"{}\" skipped=\"{}\"",
        document.records.len() + unfinished.len(),
        count(&["failed"]),
        count(&["skipped", "reported"]) + simulated + unfinished.len()
    );
    let manifest = &run.manifest;
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {totals}>\n<testsuite name=\"spark-bench\" {totals} timestamp=\"{}\" \
         hostname=\"{}\">\n<properties><property name=\"run\" value=\"{}\"/><property name=\"version\" value=\"{}\"/></properties>\n",
        xml_escaped(manifest.started_at.trim_end_matches('Z')),
        xml_escaped(manifest.machine.host.as_deref().unwrap_or("unknown")),
        xml_escaped(&manifest.id),
        xml_escaped(&manifest.build.version),
    );
    for (entry, record) in document.records.iter().zip(&run.records) {
        let seconds = record.ended_ns.saturating_sub(record.began_ns) as f64 * 1e-9;
        out += &case(entry, seconds, numbers.iter().filter(|n| n.id == entry.id));
    }
    for id in unfinished {
        out += &open(id, &entry_class(id), None);
        out += "<skipped message=\"planned and not done\"/></testcase>\n";
    }
    out + "</testsuite>\n</testsuites>\n"
}

fn case<'n>(entry: &Entry, seconds: f64, numbers: impl Iterator<Item = &'n Number>) -> String {
    let mut out = open(&entry.id, &entry.workload, Some(seconds));
    let properties: String = numbers.flat_map(properties).collect();
    if !properties.is_empty() {
        out += &format!("<properties>{properties}</properties>");
    }
    let reason = xml_escaped(entry.reason.as_deref().unwrap_or_default());
    out += &match (entry.status.as_str(), &entry.origin) {
        ("failed", _) => format!("<error type=\"failed\" message=\"{reason}\"/>"),
        ("skipped", _) => format!("<skipped message=\"{reason}\"/>"),
        (_, Some(origin)) => {
            format!("<skipped message=\"not measured here: {}\"/>", xml_escaped(&origin.words()))
        }
        _ if entry.simulated => "<skipped message=\"a test double did the work\"/>".to_owned(),
        _ => String::new(),
    };
    out + "</testcase>\n"
}

fn open(id: &str, class: &str, seconds: Option<f64>) -> String {
    let time = seconds.map(|s| format!(" time=\"{s:.6}\"")).unwrap_or_default();
    format!("<testcase classname=\"spark-bench.{}\" name=\"{}\"{time}>", xml_escaped(class), xml_escaped(id))
}

/// The workload of an id that has no record.
fn entry_class(id: &str) -> String {
    id.split('/').next().unwrap_or_default().to_owned()
}

fn properties(number: &Number) -> Vec<String> {
    let name = match &number.scope {
        Some(scope) => slug(&format!("{} {scope}", number.quantity)),
        None => slug(&number.quantity),
    };
    let one = |end: &str, value: f64| {
        format!("<property name=\"{name}{end}\" value=\"{value}\"/>", name = xml_escaped(&name))
    };
    let mut all = vec![one("", number.value)];
    if let Some([low, high]) = number.interval {
        all.extend([one(".low", low), one(".high", high)]);
    }
    all.push(format!("<property name=\"{}.unit\" value=\"{}\"/>", xml_escaped(&name), xml_escaped(&number.unit)));
    all
}
