//! Fields of a JSON object, each fetched with the type and the range it has to have.

use serde_json::{Map, Value};
use spark_results::machine::clean;

/// A `config.json` that cannot be: what, where, and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config.json{}: {what}; {mend}", if .field.is_empty() { String::new() } else { format!(": {}", .field) })]
pub struct ConfigError {
    /// The field, with its path; empty for the file as a whole.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
    /// What would mend it.
    pub mend: String,
}

impl ConfigError {
    pub(crate) fn field(field: &str, what: &str, mend: &str) -> Self {
        Self { field: field.to_owned(), what: what.to_owned(), mend: mend.to_owned() }
    }
    pub(crate) fn file(what: &str) -> Self {
        Self::field("", &clean(what), "give the config.json of a decoder of one of the families in the README")
    }
}

/// The largest size that a field may have.
#[derive(Clone, Copy)]
pub(crate) struct Largest(pub(crate) usize);

/// A JSON object and the path it stands at. A field that is `null` counts as missing, as in Hugging Face's files.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(map: &'a Map<String, Value>, path: &'a str) -> Self {
        Self { map, path }
    }
    fn at(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }
    /// Whether the field is there, be it `null`.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }
    /// The path of what stands inside.
    pub(crate) fn path_of(&self, inner: &str) -> String {
        self.at(inner)
    }
    /// An error about the field of that name.
    pub(crate) fn error(&self, name: &str, what: &str, mend: &str) -> ConfigError {
        ConfigError::field(&self.at(name), what, mend)
    }
    fn wrong(&self, name: &str, value: &Value, mend: &str) -> ConfigError {
        let mut shown = clean(&value.to_string());
        if shown.chars().count() > 60 {
            shown = shown.chars().take(60).chain(['…']).collect();
        }
        ConfigError::field(&self.at(name), &format!("is {shown}"), mend)
    }

    /// A whole number from 1. Errors: missing, too.
    pub(crate) fn size(&self, name: &str, largest: Largest) -> Result<usize, ConfigError> {
        self.optional_size(name, largest)?
            .ok_or_else(|| ConfigError::field(&self.at(name), "is missing", "give a whole number from 1"))
    }
    pub(crate) fn optional_size(&self, name: &str, Largest(largest): Largest) -> Result<Option<usize>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_u64().and_then(|size| usize::try_from(size).ok()) {
            Some(size) if (1..=largest).contains(&size) => Ok(Some(size)),
            _ => Err(self.wrong(name, value, &format!("give a whole number from 1 to {largest}"))),
        }
    }
    /// A number above 0, finite, at most `largest`, that an f32 can hold.
    pub(crate) fn positive(&self, name: &str, largest: f64) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if number >= f64::from(f32::MIN_POSITIVE) && number <= largest => Ok(Some(number)),
            _ => Err(self.wrong(name, value, &format!("give a number above 0, at most {largest}"))),
        }
    }
    /// Any finite number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(name, value, "give a number")),
        }
    }
    /// How many entries a list has; none where it is missing.
    pub(crate) fn list(&self, name: &str) -> Result<usize, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(0) };
        value.as_array().map(Vec::len).ok_or_else(|| self.wrong(name, value, "give a list"))
    }
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(name, value, "give true or false"))
    }
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(name, value, "give a text"))
    }
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&'a str>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let mend = "give a list of texts";
        let list = value.as_array().ok_or_else(|| self.wrong(name, value, mend))?;
        list.iter().map(|entry| entry.as_str().ok_or_else(|| self.wrong(name, value, mend))).collect()
    }
    /// A list of numbers above 0, finite, at most `largest`. Errors: missing, too.
    pub(crate) fn positives(&self, name: &str, largest: f64) -> Result<Vec<f64>, ConfigError> {
        let mend = format!("give a list of numbers above 0, at most {largest}");
        let value = self.get(name).ok_or_else(|| ConfigError::field(&self.at(name), "is missing", &mend))?;
        let number = |entry: &Value| {
            let fits = |number: &f64| *number >= f64::from(f32::MIN_POSITIVE) && *number <= largest;
            entry.as_f64().filter(fits).ok_or_else(|| self.wrong(name, entry, &mend))
        };
        value.as_array().ok_or_else(|| self.wrong(name, value, &mend))?.iter().map(number).collect()
    }
    pub(crate) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_object().map(Some).ok_or_else(|| self.wrong(name, value, "give an object or null"))
    }
}
