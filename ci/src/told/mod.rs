//! A gate, told in the words of those who listen: people, GitHub, JUnit, Bencher, github-action-benchmark, scripts.

mod bmf;
mod github;
mod json;
mod junit;
mod markdown;
mod text;

pub use bmf::{bmf, bmf_name};
pub use github::{annotations, benchmarks};
pub use json::{calibration, json};
pub use junit::{junit, xml_escaped};
pub use markdown::markdown;
pub use text::text;

use crate::gate::Row;

/// `+3.1 % (+2.8 … +3.4)`, the time of the candidate against the baseline's.
fn change(row: &Row) -> Option<String> {
    let effect = row.effect?;
    let [mid, low, high] = [effect.ratio, effect.ci95[0], effect.ci95[1]].map(|r| 100.0 * (r - 1.0));
    Some(format!("{mid:+.1} % ({low:+.1} … {high:+.1})"))
}
