//! What two groups of cores, or cores and a GPU, leave each other, as heat tables.

use crate::heat::{Cell, Heat};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::contention::{ALONE, Matrix, Side};

pub(super) fn render(page: &Page) -> Option<Markup> {
    let found: Vec<(&Entry, Matrix)> =
        page.of("contention").filter_map(|e| Some((e, Matrix::of(&e.metrics)?))).collect();
    (!found.is_empty()).then(|| {
        html! {
            h3 { "Beside each other" }
            p { "Two groups of cores, or cores and a GPU, at work at the same time. Each cell is what the row's work reaches beside the column's, and what "
                "is left of its speed alone; the darker, the less is left." }
            @for (e, matrix) in &found {
                @if let Some(groups) = e.facts.get("groups") { p.of { (groups) } }
                @for side in [Side::One, Side::Other] { (heat(matrix, side, e.device.starts_with("cuda")).render()) }
            }
        }
    })
}

fn heat(matrix: &Matrix, side: Side, gpu: bool) -> Heat {
    let (what, beside) = match side {
        Side::One => (matrix.loads(Side::One), matrix.loads(Side::Other)),
        Side::Other => (matrix.loads(Side::Other), matrix.loads(Side::One)),
    };
    let columns: Vec<&str> = std::iter::once(ALONE).chain(beside).collect();
    let cell = |what: &str, beside: &str| {
        let cell = matrix.cell(side, what, beside)?;
        let unit = if cell.unit == "B/s" { Unit::Si("B/s") } else { Unit::Plain(&cell.unit) };
        let kept = matrix.kept(side, what, beside).unwrap_or(1.0);
        let said = html! {
            (Shown::new(cell.per_s, unit, Status::Measured).inline())
            @if beside != ALONE { " " span.of { (Shown::new(kept, Unit::Share, Status::Derived).text()) } }
        };
        Some(Cell { said, shade: 1.0 - kept })
    };
    Heat {
        corner: match (side, gpu) {
            (Side::One, true) => "CPU ↓ beside GPU →".to_owned(),
            (Side::Other, true) => "GPU ↓ beside CPU →".to_owned(),
            (side, false) => format!("group {} ↓ beside →", side.name()),
        },
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        rows: what.iter().map(|w| ((*w).to_owned(), columns.iter().map(|b| cell(w, b)).collect())).collect(),
    }
}
