//! The board on a terminal.

use super::{Board, Row, spark, told};
use crate::throttled::REASONS;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row as Cells, Table, Wrap};

/// Columns before the curve: quantity, scope, now, low … high.
const WIDTHS: [u16; 4] = [18, 22, 14, 28];

/// Draws `board` under `title`, from row `first` on. Colours only where they are wanted; nothing is told by colour alone.
pub fn draw(frame: &mut Frame, board: &Board, title: &str, first: usize, coloured: bool) {
    let area = frame.area();
    let refused = refused(board, usize::from(area.width));
    // A third of the screen at most tells what is not there.
    let below = (refused.len() as u16).min(area.height / 3);
    let [head, middle, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(3), Constraint::Length(below)]).areas(area);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(
        Line::from(vec![Span::styled(title.to_owned(), bold), Span::raw("  q quits, ↑ ↓ scroll")]),
        head,
    );
    let curve = area.width.saturating_sub(WIDTHS.iter().sum::<u16>() + 5);
    let rows = board.rows();
    let shown = rows.iter().skip(first.min(rows.len().saturating_sub(1))).map(|row| cells(row, curve, coloured));
    let widths = WIDTHS.map(Constraint::Length).into_iter().chain([Constraint::Length(curve)]);
    let titles = Cells::new(["quantity", "of", "now", "low … high", "over time"]).style(bold);
    frame.render_widget(Table::new(shown, widths).header(titles), middle);
    let quiet = Style::new().add_modifier(Modifier::DIM);
    frame.render_widget(Paragraph::new(refused).wrap(Wrap { trim: true }).style(quiet), foot);
}

fn cells(row: &Row, curve: u16, coloured: bool) -> Cells<'static> {
    let span = row.span().map(|(low, high)| format!("{} … {}", told(low, &row.unit), told(high, &row.unit)));
    // Bits have no low and high: their words take that room.
    let bits = row.now().filter(|_| row.quantity == REASONS);
    let (now, span) = match bits {
        Some(bits) => (format!("{:#x}", bits as u64), row.told()),
        None => (row.told(), span.unwrap_or_default()),
    };
    let style = match (row.alarming(), coloured) {
        (true, true) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        (true, false) => Style::new().add_modifier(Modifier::BOLD),
        _ => Style::new(),
    };
    let mark = if row.alarming() { "! " } else { "" };
    let line = Style::new().fg(if coloured { Color::Cyan } else { Color::Reset });
    Cells::new([
        Cell::new(format!("{mark}{}", row.quantity)),
        Cell::new(row.scope.clone()),
        Cell::new(now),
        Cell::new(span),
        Cell::new(spark(&row.values, usize::from(curve))).style(line),
    ])
    .style(style)
}

/// What refused, a line each, cut where the screen ends.
fn refused(board: &Board, width: usize) -> Vec<Line<'static>> {
    let of = |c: &spark_results::telemetry::Channel| {
        let what = [Some(c.name.as_str()), c.scope.as_deref(), c.quantity.as_deref()];
        let what: Vec<_> = what.into_iter().flatten().collect();
        let text = format!("refused: {}: {}", what.join(" "), c.reason.as_deref().unwrap_or("no reason given"));
        Line::from(text.chars().take(width).collect::<String>())
    };
    board.refused.iter().map(of).collect()
}
