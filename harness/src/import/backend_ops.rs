//! llama.cpp's `test-backend-ops`: single operations, how fast or whether right.

use super::fields::{self, Field, Use, rate, text, time, told};
use super::{Format, Row, Source};

pub(super) const FORMAT: Format =
    Format { name: "test-backend-ops", about: "test-backend-ops perf --output sql|csv", looks, read };

const FIELDS: &[Field] = &[
    ("test_time", Use::When),
    ("build_commit", Use::Version),
    ("backend_name", Use::Device),
    ("device_description", Use::Fact),
    ("backend_reg_name", Use::Fact),
    ("op_name", Use::Axis),
    ("op_params", Use::Axis),
    ("test_mode", Use::Axis),
    ("supported", Use::Fact),
    ("passed", Use::Fact),
    ("error_message", Use::Fact),
    ("time_us", time("us")),
    ("flops", rate("FLOP/s")),
    ("bandwidth_gb_s", rate("GB/s")),
    ("memory_kb", told("kB")),
    ("n_runs", told("")),
];

fn looks(source: &Source) -> bool {
    source.has(&["op_name", "backend_name"])
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    if !looks(source) {
        return Err("no row has op_name and backend_name".to_owned());
    }
    Ok(source
        .rows
        .iter()
        .map(|from| {
            let mut row = fields::row(FIELDS, from);
            let is = |name: &str, what: &[&str]| from.get(name).map(text).is_some_and(|t| what.contains(&t.as_str()));
            if is("supported", &["0", "false"]) || is("test_mode", &["test", "support"]) {
                // Every number of such a row is written as 0.
                row.metrics.clear();
                row.notes.push("this row has no time: it was not supported, or tested for its result only".to_owned());
            }
            row
        })
        .collect())
}
