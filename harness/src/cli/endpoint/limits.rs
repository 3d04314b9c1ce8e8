//! What a good answer keeps: `ttft=500,tpot=50`.

use spark_results::machine::clean;
use spark_results::serving::{SLO_E2E_MS, SLO_TPOT_MS, SLO_TTFT_MS};
use std::collections::BTreeMap;

/// Limits in milliseconds, by the name of their fact.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits(pub(super) BTreeMap<String, f64>);

/// The limits that `text` names. Errors: a name that is none, a limit that is no time.
pub(super) fn parse(text: &str) -> Result<Limits, String> {
    let mut limits = BTreeMap::new();
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong(part))?;
        let fact = match name.trim() {
            "ttft" => SLO_TTFT_MS,
            "tpot" | "itl" => SLO_TPOT_MS,
            "e2e" => SLO_E2E_MS,
            _ => return Err(wrong(part)),
        };
        let ms: f64 = value.trim().trim_end_matches("ms").parse().map_err(|_| wrong(part))?;
        if !(ms > 0.0 && ms.is_finite()) {
            return Err(wrong(part));
        }
        limits.insert(fact.to_owned(), ms);
    }
    Ok(Limits(limits))
}

fn wrong(part: &str) -> String {
    format!("'{}' is no limit; write ttft=500,tpot=50,e2e=10000, in milliseconds", clean(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_times_by_name() {
        let limits = parse("ttft=500, tpot=50ms").unwrap().0;
        assert_eq!(
            limits.into_iter().collect::<Vec<_>>(),
            [("slo_tpot_ms".into(), 50.0), ("slo_ttft_ms".into(), 500.0)]
        );
        for bad in ["", "ttft", "ttft=", "ttft=-1", "ttft=NaN", "ttft=inf", "speed=1", "ttft=0"] {
            assert!(parse(bad).unwrap_err().contains("milliseconds"), "{bad}");
        }
    }
}
