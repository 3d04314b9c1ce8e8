//! The watts in a meter's JSON: the names that Shelly, Tasmota and HomeWizard give them, or a path.

use serde_json::Value;

/// Names of the power of now, most telling first; compared without case. Shelly's second generation says `apower`, its meters of
/// three phases `total_act_power`, its first generation and Tasmota `power`, HomeWizard `active_power_w`.
const NAMES: &[&str] = &["total_act_power", "apower", "active_power_w", "act_power", "power", "watts", "power_w"];

/// The watts in `text`: at `path` (names and numbers with dots between), or under the first of the known names that is there.
///
/// # Errors
/// There are none, or several.
pub(super) fn watts(text: &str, path: Option<&str>) -> Result<f64, String> {
    if let Ok(number) = text.trim().parse::<f64>() {
        return Ok(number);
    }
    let document: Value = serde_json::from_str(text).map_err(|e| format!("no JSON: {e}"))?;
    if let Some(path) = path {
        let found = path.split('.').try_fold(&document, |at, step| match step.parse::<usize>() {
            Ok(index) if at.is_array() => at.get(index),
            _ => at.get(step),
        });
        return found.and_then(number).ok_or_else(|| format!("no number at {}", spark_results::machine::clean(path)));
    }
    for name in NAMES {
        let mut found = Vec::new();
        all(&document, name, &mut found);
        match found.as_slice() {
            [] => {}
            [one] => return Ok(*one),
            several => {
                return Err(format!(
                    "{} numbers are called {name}; choose one by its path, as in http://…#meters.0.power",
                    several.len()
                ));
            }
        }
    }
    Err(format!("no number is called {}; give its path, as in http://…#a.b.0", NAMES.join(", ")))
}

/// A number, also one in quotes.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|n| n.is_finite())
}

fn all(at: &Value, name: &str, found: &mut Vec<f64>) {
    match at {
        Value::Object(map) => {
            for (key, value) in map {
                match number(value) {
                    Some(n) if key.eq_ignore_ascii_case(name) => found.push(n),
                    _ => all(value, name, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|v| all(v, name, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_as_they_answer() {
        let tasmota = r#"{"StatusSNS":{"Time":"2026-01-01T00:00:00","ENERGY":{"Total":3.185,"Power":112,"ApparentPower":120,"Voltage":231}}}"#;
        let gen1 = r#"{"relays":[{"ison":true}],"meters":[{"power":87.53,"is_valid":true,"counters":[80.1,0,0],"total":100}]}"#;
        let gen2 =
            r#"{"id":0,"output":true,"apower":96.4,"voltage":230.1,"aenergy":{"total":6.5,"by_minute":[1,2,3]}}"#;
        let wizard = r#"{"wifi_ssid":"x","active_power_w":54.2,"active_power_l1_w":54.2}"#;
        assert_eq!(
            [tasmota, gen1, gen2, wizard, " 12.5\n"].map(|t| watts(t, None).unwrap()),
            [112.0, 87.53, 96.4, 54.2, 12.5]
        );
    }

    #[test]
    fn several_are_chosen_from_by_path_and_nothing_is_guessed() {
        let two = r#"{"meters":[{"power":1.5},{"power":"2.5"}]}"#;
        assert!(watts(two, None).unwrap_err().contains("2 numbers are called power"));
        assert_eq!(watts(two, Some("meters.1.power")), Ok(2.5));
        assert!(watts(two, Some("meters.2.power")).is_err());
        for bad in ["", "{", "{\"power\":null}", "{\"power\":{}}", "[]", "<html>"] {
            assert!(watts(bad, None).is_err(), "{bad}");
        }
    }
}
