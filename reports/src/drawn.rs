//! Which program drew a page, and whether the same program would draw it again.

use crate::page;
use spark_results::Run;

/// How a page names what drew it: version and sources, then how many runs stand on it.
pub(crate) fn by(runs: usize) -> String {
    format!("{}, runs: {runs}", maker())
}

fn maker() -> String {
    format!("spark-bench {} {}", env!("CARGO_PKG_VERSION"), env!("SPARK_REPORTS_SOURCES"))
}

/// How a stored page stands to what follows from its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// To the letter what this program draws: every number on it was computed again.
    Same,
    /// This program's, and not what it draws of this run: the text around the first difference.
    Changed(String),
    /// It cannot be told, and why: another version drew it, or other runs stand on it.
    Unknown(&'static str),
}

/// Draws the page of `run` again and holds `page` against it.
pub fn drawn(page: &str, run: &Run) -> Drawn {
    let name = page.split_once("name=\"generator\" content=\"").and_then(|(_, rest)| rest.split_once('"'));
    match name.and_then(|(name, _)| name.split_once(", runs: ")) {
        Some((made, "1")) if made == maker() => {}
        Some((made, _)) if made == maker() => return Drawn::Unknown("other runs stand on it, too"),
        _ => return Drawn::Unknown("another version of this program drew it"),
    }
    let fresh = page::html(std::slice::from_ref(run));
    if fresh == page {
        return Drawn::Same;
    }
    let at = fresh.bytes().zip(page.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(30);
    let told = page.as_bytes().get(at..).unwrap_or_default();
    Drawn::Changed(String::from_utf8_lossy(&told[..told.len().min(80)]).into_owned())
}
