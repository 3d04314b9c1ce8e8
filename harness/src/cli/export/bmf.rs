//! For Bencher: its metric format.

use super::numbers::{Number, slug};
use serde_json::{Map, Value, json};
use spark_gate::told::bmf_name;

/// The longest name of a measure that Bencher takes.
const LONGEST: usize = 64;

/// `{benchmark: {measure: {value, lower_value, upper_value}}}`. The time of an iteration is Bencher's built-in `latency`, in
/// nanoseconds; every other measure is named after its quantity.
pub(super) fn text(numbers: &[Number]) -> String {
    let mut all = Map::new();
    for number in numbers {
        let mut metric = json!({ "value": number.value });
        if let Some([low, high]) = number.interval {
            metric["lower_value"] = json!(low);
            metric["upper_value"] = json!(high);
        }
        let of = all.entry(bmf_name(&number.id)).or_insert_with(|| Value::Object(Map::new()));
        of[measure(number)] = metric;
    }
    format!("{:#}\n", Value::Object(all))
}

fn measure(number: &Number) -> String {
    let name = match (number.quantity.as_str(), &number.scope) {
        ("time", None) => "latency".to_owned(),
        (quantity, None) => slug(quantity),
        (quantity, Some(scope)) => slug(&format!("{quantity} {scope}")),
    };
    name.chars().take(LONGEST).collect()
}
