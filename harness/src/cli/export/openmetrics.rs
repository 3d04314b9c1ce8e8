//! For Prometheus: OpenMetrics 1.0 text, a gauge a number and an info a record.

use super::numbers::{self, Number};
use spark_results::conditions::Energy;
use spark_results::reported::Origin;
use spark_results::{Document, Run};
use std::collections::BTreeMap;

/// A family: its name, its unit (which ends the name), what it is.
type Family = (&'static str, &'static str, &'static str);

const TOKENS: Family = ("sparkbench_tokens_per_second", "tokens_per_second", "Tokens read or generated a second.");
const BYTES: Family = ("sparkbench_bytes_per_second", "bytes_per_second", "Bytes moved a second.");
const OPERATIONS: Family =
    ("sparkbench_operations_per_second", "operations_per_second", "Operations a second; a multiply-add is two.");
const SECONDS: Family = ("sparkbench_time_seconds", "seconds", "Time of one iteration, or of what quantity names.");
const PER_JOULE: Family = ("sparkbench_items_per_joule", "items_per_joule", "Items a joule in a scope.");
const JOULES: Family = ("sparkbench_energy_joules", "joules", "Energy over the window of a record, by scope.");
const WATTS: Family = ("sparkbench_power_watts", "watts", "Average power over the window of a record, by scope.");
const OTHER: Family = ("sparkbench_value", "", "Another number; its unit is a label.");

/// The exposition. A number that was not had has no line: never 0.
pub(super) fn text(run: &Run, document: &Document) -> String {
    let build = &run.manifest.build;
    let mut out = "# TYPE sparkbench_build info\n# HELP sparkbench_build The program that measured.\n".to_owned();
    out += &format!(
        "sparkbench_build_info{} 1\n",
        labels(&[
            ("version", &build.version),
            ("revision", build.revision.as_deref().unwrap_or("")),
            ("target", &build.target),
        ])
    );
    out += "# TYPE sparkbench_record info\n# HELP sparkbench_record Every record with its status.\n";
    for e in &document.records {
        let reason = e.reason.clone().or_else(|| e.origin.as_ref().map(Origin::words)).unwrap_or_default();
        let simulated = if e.simulated { "simulated" } else { &e.status };
        out += &format!(
            "sparkbench_record_info{} 1\n",
            labels(&[("id", &e.id), ("status", simulated), ("reason", &reason)])
        );
    }
    let mut families: BTreeMap<Family, Vec<String>> = BTreeMap::new();
    for number in numbers::of(run) {
        let (family, scale) = family(&number);
        let mut with = vec![("id", number.id.as_str()), ("quantity", number.quantity.as_str())];
        with.extend(number.scope.as_deref().map(|scope| ("scope", scope)));
        if family == OTHER {
            with.push(("unit", &number.unit));
        }
        families.entry(family).or_default().push(format!("{} {}", labels(&with), number.value * scale));
    }
    for e in document.records.iter().filter(|e| !e.simulated) {
        let Some(Energy::Measured { readings, .. }) = &e.energy else { continue };
        for reading in readings.iter().filter(|r| !r.simulated) {
            let with = labels(&[("id", &e.id), ("scope", &reading.scope), ("source", &reading.source)]);
            families.entry(JOULES).or_default().push(format!("{with} {}", reading.joules));
            families.entry(WATTS).or_default().push(format!("{with} {}", reading.watts));
        }
    }
    for ((name, unit, help), lines) in families {
        out += &format!("# TYPE {name} gauge\n");
        if !unit.is_empty() {
            out += &format!("# UNIT {name} {unit}\n");
        }
        out += &format!("# HELP {name} {help}\n");
        lines.iter().for_each(|line| out += &format!("{name}{line}\n"));
    }
    out + "# EOF\n"
}

/// Where a number goes, and what it is multiplied by to stand in that unit.
fn family(number: &Number) -> (Family, f64) {
    match number.unit.as_str() {
        "tok/s" => (TOKENS, 1.0),
        "B/s" => (BYTES, 1.0),
        "FLOP/s" | "OP/s" => (OPERATIONS, 1.0),
        "ns" => (SECONDS, 1e-9),
        unit if unit.ends_with("/J") => (PER_JOULE, 1.0),
        _ => (OTHER, 1.0),
    }
}

/// `{name="value",…}` with what has a meaning in it escaped.
fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let all: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", all.join(","))
}
