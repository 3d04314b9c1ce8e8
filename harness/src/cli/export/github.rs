//! For github-action-benchmark: lists in its custom formats, which know one direction a file.

use super::numbers::Number;
use serde_json::{Value, json};
use spark_results::record::Better;

/// A file's name and what stands in it.
type File = (&'static str, fn(&[Number]) -> String);

/// The two files; `tool: customBiggerIsBetter` reads the first, `tool: customSmallerIsBetter` the second.
pub(super) static FILES: &[File] = &[("bigger-is-better.json", bigger), ("smaller-is-better.json", smaller)];

fn bigger(numbers: &[Number]) -> String {
    list(numbers, Better::Higher)
}

fn smaller(numbers: &[Number]) -> String {
    list(numbers, Better::Lower)
}

fn list(numbers: &[Number], better: Better) -> String {
    let list: Vec<Value> = numbers.iter().filter(|number| number.better == better).map(one).collect();
    format!("{:#}\n", Value::Array(list))
}

fn one(number: &Number) -> Value {
    let scope = number.scope.as_ref().map(|scope| format!(" ({scope})")).unwrap_or_default();
    let name = format!("{} · {}{scope}", number.id, number.quantity);
    let mut one = json!({ "name": name, "unit": number.unit, "value": number.value });
    if let Some([low, high]) = number.interval {
        one["range"] = json!(format!("± {}", 0.5 * (high - low)));
        one["extra"] = json!(format!("95 %: {low} … {high} {}", number.unit));
    }
    one
}
