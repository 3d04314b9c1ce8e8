//! Tables whose rows become cards on a narrow screen: each cell knows its column's name.

use maud::{Markup, html};

/// Rows shown before the rest folds away.
const OPEN: usize = 48;

/// Columns by name; one markup a cell.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<Markup>>,
}

impl Table {
    /// An empty table. The first column names the row.
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }
    /// Adds a row: as many cells as columns.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Markup>) {
        self.rows.push(cells.into_iter().collect());
    }
    /// The table, or nothing if it has no row. Rows beyond the first 48 fold away and lose nothing.
    pub(crate) fn render(&self) -> Option<Markup> {
        if self.rows.is_empty() {
            return None;
        }
        let (open, folded) = self.rows.split_at(self.rows.len().min(OPEN));
        Some(html! {
            (self.part(open))
            @if !folded.is_empty() {
                details { summary { (folded.len()) " rows more" } (self.part(folded)) }
            }
        })
    }
    fn part(&self, rows: &[Vec<Markup>]) -> Markup {
        html! {
            table {
                thead { tr { @for name in self.columns { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (i, (cell, name)) in row.iter().zip(self.columns).enumerate() {
                                @if i == 0 { th scope="row" { (cell) } } @else { td data-name=(name) { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
