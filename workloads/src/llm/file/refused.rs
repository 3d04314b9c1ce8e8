//! Why a model's file is not taken.

use crate::BadRequest;
use spark_results::machine::clean;

/// A file that cannot be: what is wrong with it, and the mend. One line, whatever the file holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {mend}")]
pub struct Refused {
    /// What is wrong, and where.
    pub what: String,
    /// What would mend it.
    pub mend: String,
}

/// What helps where a file is broken.
pub(crate) const WHOLE: &str = "fetch or make the file again";
/// What helps where a file is sound and the engine does not compute it.
pub(crate) const ANOTHER: &str = "choose a file of a decoder that the README lists";

impl Refused {
    pub(crate) fn new(what: impl Into<String>, mend: &str) -> Self {
        Self { what: what.into(), mend: mend.to_owned() }
    }
    /// A file that is broken or lies.
    pub(crate) fn broken(what: impl Into<String>) -> Self {
        Self::new(what, WHOLE)
    }
    /// The same as a request that cannot be met, of the file at `path`.
    pub(crate) fn of(self, path: &std::path::Path) -> BadRequest {
        BadRequest(format!("model {}: {self}", clean(&path.display().to_string())))
    }
}

/// A name from a file, fit for a line: cleaned, and cut where it is long.
pub(crate) fn shown(name: &str) -> String {
    let cleaned = clean(name);
    match cleaned.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &cleaned[..at]),
        None => cleaned,
    }
}
