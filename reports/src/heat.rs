//! Tables of numbers in two directions, shaded by size: what stands out is seen before it is read.

use maud::{Markup, html};

/// A cell: what it says, and how much it is shaded, 0 … 1.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) said: Markup,
    pub(crate) shade: f64,
}

/// Rows and columns by name; a missing cell is a dash.
#[derive(Clone, Debug)]
pub(crate) struct Heat {
    /// What stands in the corner: rows ↓, columns →.
    pub(crate) corner: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<(String, Vec<Option<Cell>>)>,
}

impl Heat {
    /// The table, which scrolls by itself where the screen is narrower.
    pub(crate) fn render(&self) -> Markup {
        html! {
            // What scrolls has to be reached by keyboard.
            div.heat tabindex="0" role="group" aria-label=(self.corner) {
                table {
                    thead { tr { th scope="col" { (self.corner) } @for name in &self.columns { th scope="col" { (name) } } } }
                    tbody {
                        @for (name, cells) in &self.rows {
                            tr {
                                th scope="row" { (name) }
                                @for cell in cells {
                                    @match cell {
                                        Some(cell) => td style=(shade(cell.shade)) { (cell.said) },
                                        None => td { span.none { "–" } },
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// At most half of the ink, so that the number stays readable on it.
fn shade(share: f64) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    format!("background:color-mix(in srgb,var(--b) {:.0}%,transparent)", 50.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_shaded_within_bounds_and_missing_ones_are_dashes() {
        let cell = |shade| Some(Cell { said: html! { "x" }, shade });
        let heat = Heat {
            corner: "a ↓ b →".into(),
            columns: vec!["<b>".into(), "c".into(), "d".into()],
            rows: vec![("r".into(), vec![cell(7.0), None, cell(f64::NAN)])],
        };
        let html = heat.render().into_string();
        assert!(html.contains("--b) 50%") && html.contains("--b) 0%") && html.contains('–'), "{html}");
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
    }
}
