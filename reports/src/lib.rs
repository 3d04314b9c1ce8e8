#![doc = include_str!("../README.md")]

mod card;
mod chart;
mod comparison;
mod curves;
mod drawn;
mod embed;
mod heat;
mod letters;
mod others;
mod page;
mod picture;
mod section;
mod shown;
mod site;
mod strips;
mod table;
mod text;
mod told;

pub use card::{card, card_png};
pub use comparison::{comparison, comparison_markdown};
pub use drawn::{Drawn, drawn};
pub use embed::embedded;
pub use site::{File, site};
pub use text::text;

use spark_results::Run;

/// The report as one HTML file without any outside reference. The first run is the subject; others stand beside it.
pub fn html(runs: &[Run]) -> String {
    page::html(runs)
}
