//! The stable name of one benchmark: workload, device, implementation and the axes of its shape.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The value of one axis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AxisValue {
    /// A size or a count.
    Int(u64),
    /// A name, such as a number format.
    Text(String),
}

impl AxisValue {
    /// The number, if it is one.
    pub fn int(&self) -> Option<u64> {
        match self {
            AxisValue::Int(value) => Some(*value),
            AxisValue::Text(_) => None,
        }
    }
}

impl fmt::Display for AxisValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AxisValue::Int(value) => write!(f, "{value}"),
            AxisValue::Text(value) => escape(value, f),
        }
    }
}

impl From<u64> for AxisValue {
    fn from(value: u64) -> Self {
        AxisValue::Int(value)
    }
}
impl From<usize> for AxisValue {
    fn from(value: usize) -> Self {
        AxisValue::Int(value as u64)
    }
}
impl From<&str> for AxisValue {
    /// Digits alone are a number: an id reads back as what it was written from.
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(value) if text == format!("{value}") => AxisValue::Int(value),
            _ => AxisValue::Text(text.to_owned()),
        }
    }
}

/// Axes by name, sorted.
pub type Axes = BTreeMap<String, AxisValue>;

/// One benchmark. Displayed `workload/device/implementation?axis=value&…` with the axes sorted; this text is what globs match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BenchmarkId {
    /// What is measured: `gemm`, `decode` …
    pub workload: String,
    /// Where: `cpu`, `cuda:0` …
    pub device: String,
    /// How: `avx512-vnni` …
    pub implementation: String,
    /// At which shape.
    pub axes: Axes,
}

impl BenchmarkId {
    /// An id without axes.
    pub fn new(workload: &str, device: &str, implementation: &str) -> Self {
        Self {
            workload: workload.into(),
            device: device.into(),
            implementation: implementation.into(),
            axes: Axes::new(),
        }
    }
    /// The same with one axis more.
    #[must_use]
    pub fn with(mut self, axis: &str, value: impl Into<AxisValue>) -> Self {
        self.axes.insert(axis.into(), value.into());
        self
    }
    /// The number on `axis`, if there is one.
    pub fn int(&self, axis: &str) -> Option<u64> {
        self.axes.get(axis).and_then(AxisValue::int)
    }
    /// The text on `axis`, if there is one.
    pub fn text(&self, axis: &str) -> Option<&str> {
        match self.axes.get(axis)? {
            AxisValue::Text(value) => Some(value),
            AxisValue::Int(_) => None,
        }
    }
    /// Whether `glob` matches this id's text. Only `*` is special, and it matches everything, `/` included.
    pub fn matches(&self, glob: &str) -> bool {
        matches(glob, &self.to_string())
    }
}

/// Whether `glob` matches the whole of `text`; `*` stands for any run of characters.
pub fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// Characters with a meaning of their own in an id, and control characters, are written as `%XX`.
fn escape(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() || matches!(c, '%' | '/' | '?' | '&' | '=' | '*' | ' ') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                write!(f, "%{byte:02X}")?;
            }
        } else {
            write!(f, "{c}")?;
        }
    }
    Ok(())
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

struct Escaped<'a>(&'a str);
impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, f)
    }
}

impl fmt::Display for BenchmarkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", Escaped(&self.workload), Escaped(&self.device), Escaped(&self.implementation))?;
        for (i, (axis, value)) in self.axes.iter().enumerate() {
            write!(f, "{}{}={value}", if i == 0 { '?' } else { '&' }, Escaped(axis))?;
        }
        Ok(())
    }
}

/// A text that is no benchmark id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no benchmark id: expected workload/device/implementation?axis=value&…")]
pub struct ParseIdError(String);

impl FromStr for BenchmarkId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (path, query) = text.split_once('?').unwrap_or((text, ""));
            let mut parts = path.split('/').map(unescape);
            let (workload, device, implementation) = (parts.next()??, parts.next()??, parts.next()??);
            if parts.next().is_some() || workload.is_empty() || device.is_empty() || implementation.is_empty() {
                return None;
            }
            let mut axes = Axes::new();
            for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                let (axis, value) = pair.split_once('=')?;
                axes.insert(unescape(axis)?, AxisValue::from(unescape(value)?.as_str()));
            }
            Some(Self { workload, device, implementation, axes })
        };
        parse().ok_or_else(|| ParseIdError(crate::machine::clean(text)))
    }
}

impl Serialize for BenchmarkId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for BenchmarkId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
impl JsonSchema for BenchmarkId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BenchmarkId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "workload/device/implementation?axis=value&…, axes sorted" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_reads_as_documented() {
        let id = BenchmarkId::new("gemm", "cpu", "avx512-vnni")
            .with("n", 4096u64)
            .with("m", 1u64)
            .with("k", 4096u64)
            .with("format", "mxfp4");
        assert_eq!(id.to_string(), "gemm/cpu/avx512-vnni?format=mxfp4&k=4096&m=1&n=4096");
        assert!(id.matches("gemm*m=1&*") && id.matches("*") && id.matches("gemm/*n=4096"));
        assert!(!id.matches("gemm") && !id.matches("*n=409") && !id.matches("read*"));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "gemm", "a/b", "a/b/c/d", "a//c", "a/b/c?x", "a/b/c?x=%zz", "a/b/c?x=%f"] {
            assert!(text.parse::<BenchmarkId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ids_read_back(workload in ".{1,9}", device in ".{1,9}", how in ".{1,9}", axes in prop::collection::btree_map(".{1,5}", ".{0,7}", 0..4)) {
            let axes = axes.into_iter().map(|(k, v)| (k, AxisValue::from(v.as_str()))).collect();
            let id = BenchmarkId { workload, device, implementation: how, axes };
            prop_assert_eq!(id.to_string().parse::<BenchmarkId>().unwrap(), id.clone());
            prop_assert!(id.matches(&id.to_string()));
        }
        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,40}") {
            let _ = text.parse::<BenchmarkId>();
            let _ = matches(&text, &text);
        }
    }
}
