#![doc = include_str!("../README.md")]

mod chart;
mod comparison;
mod curves;
mod embed;
mod heat;
mod page;
mod section;
mod shown;
mod table;
mod text;
mod told;

pub use comparison::{comparison, comparison_markdown};
pub use embed::embedded;
pub use text::text;

use spark_results::Run;

/// The report as one HTML file without any outside reference. The first run is the subject; others stand beside it.
pub fn html(runs: &[Run]) -> String {
    page::html(runs)
}
