//! Axes of a workload, and what a person asked of them: lists that multiply out to cases.

use spark_results::{Axes, AxisValue};
use std::collections::BTreeMap;

/// One axis of a workload's shape.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Its name in ids, suites and flags.
    pub name: &'static str,
    /// What it is, with its unit.
    pub about: &'static str,
    /// What is taken if nobody asks, as in a suite: a comma list.
    pub default: &'static str,
}

/// Values asked for, by axis. What is not asked for takes the axis' default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Lists by axis name.
    pub axes: BTreeMap<String, Vec<AxisValue>>,
    /// `best`, `all`, or a glob on implementation names; `best` if empty.
    pub implementation: String,
}

/// Something asked for that cannot be: what and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRequest(pub String);

/// A comma list as axis values: `1,8,mxfp4`. Errors: an empty entry.
pub fn list(axis: &str, text: &str) -> Result<Vec<AxisValue>, BadRequest> {
    text.split(',')
        .map(|part| match part.trim() {
            "" => Err(BadRequest(format!("--{axis} '{text}': an empty entry; write a comma list such as 1,8"))),
            part => Ok(AxisValue::from(part)),
        })
        .collect()
}

/// `axes`, with those of `known` that are left out at their first default.
pub fn filled(axes: &Axes, known: &[Axis]) -> Result<Axes, BadRequest> {
    let mut full = axes.clone();
    for axis in known.iter().filter(|axis| !axes.contains_key(axis.name)) {
        full.insert(axis.name.to_owned(), list(axis.name, axis.default)?.swap_remove(0));
    }
    Ok(full)
}

/// Every combination of the values asked for, the last axis varying fastest. Errors: an axis that this workload has not.
pub fn combinations(workload: &str, axes: &[Axis], request: &Request) -> Result<Vec<Axes>, BadRequest> {
    if let Some(unknown) = request.axes.keys().find(|name| !axes.iter().any(|a| a.name == name.as_str())) {
        let names: Vec<_> = axes.iter().map(|a| a.name).collect();
        return Err(BadRequest(format!("{workload} has no axis '{unknown}'; it has: {}", names.join(", "))));
    }
    let mut all = vec![Axes::new()];
    for axis in axes {
        let values = match request.axes.get(axis.name) {
            Some(values) if values.is_empty() => {
                return Err(BadRequest(format!("{workload}: no value given for '{}'", axis.name)));
            }
            Some(values) => values.clone(),
            None => list(axis.name, axis.default)?,
        };
        all = all
            .into_iter()
            .flat_map(|done| {
                values.iter().map(move |value| {
                    let mut more = done.clone();
                    more.insert(axis.name.to_owned(), value.clone());
                    more
                })
            })
            .collect();
    }
    Ok(all)
}

/// Largest size any axis takes: products of three of them still fit in u64 arithmetic that is checked elsewhere.
const LARGEST: u64 = 1 << 40;

/// The size on `axis`. Errors: it is missing, no number, zero, or beyond 2⁴⁰.
pub fn size(axes: &Axes, axis: &str) -> Result<usize, BadRequest> {
    match count(axes, axis)? {
        0 => Err(BadRequest(format!("{axis} is 0; it has to be at least 1"))),
        value => Ok(value),
    }
}

/// The count on `axis`, which may be 0. Errors: it is missing, no number, or beyond 2⁴⁰.
pub fn count(axes: &Axes, axis: &str) -> Result<usize, BadRequest> {
    match axes.get(axis) {
        Some(AxisValue::Int(value)) if *value <= LARGEST => Ok(*value as usize),
        Some(AxisValue::Int(value)) => Err(BadRequest(format!("{axis} is {value}; at most 2^40 is taken"))),
        Some(AxisValue::Text(value)) => {
            let value = spark_results::machine::clean(value);
            Err(BadRequest(format!("{axis} is '{value}'; it has to be a whole number")))
        }
        None => Err(BadRequest(format!("{axis} is not given"))),
    }
}

/// The name on `axis`, as it was given: not as an id writes it. Errors: it is missing.
pub fn name(axes: &Axes, axis: &str) -> Result<String, BadRequest> {
    match axes.get(axis) {
        Some(AxisValue::Text(name)) => Ok(name.clone()),
        Some(AxisValue::Int(number)) => Ok(number.to_string()),
        None => Err(BadRequest(format!("{axis} is not given"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXES: &[Axis] = &[
        Axis { name: "m", about: "rows", default: "1" },
        Axis { name: "format", about: "format", default: "mxfp4,nvfp4" },
    ];

    #[test]
    fn lists_multiply_out_in_order() {
        let mut request = Request::default();
        request.axes.insert("m".into(), list("m", "1, 8").unwrap());
        let all = combinations("gemm", AXES, &request).unwrap();
        let shown: Vec<_> = all.iter().map(|a| format!("{}-{}", a["m"], a["format"])).collect();
        assert_eq!(shown, ["1-mxfp4", "1-nvfp4", "8-mxfp4", "8-nvfp4"]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let mut request = Request::default();
        request.axes.insert("q".into(), vec![1u64.into()]);
        assert!(combinations("gemm", AXES, &request).unwrap_err().0.contains("'q'"));
        assert!(list("m", "1,,2").is_err());
        let axes: Axes = [("m".to_owned(), AxisValue::Int(0)), ("n".to_owned(), AxisValue::from("x"))].into();
        assert!(size(&axes, "m").is_err() && size(&axes, "n").is_err() && size(&axes, "k").is_err());
        assert_eq!(count(&axes, "m"), Ok(0));
    }
}
