//! One picture to share: how fast, how close to the limit, how efficient, against what, as SVG or PNG that stands alone.

use crate::letters::{Letters, Weight};
use crate::others::said;
use crate::page::Page;
use crate::picture::{Colour, Picture, Shape};
use crate::section::headline::{first_decode, first_prefill, memory_roof, rivals};
use crate::shown::{Shown, Status, Unit};
use crate::told::{self, Amount};
use spark_results::machine::clean;
use spark_results::quantity::percent;
use spark_results::{Entry, Run};

/// The size that pages show beside a link.
const SIZE: [f32; 2] = [1200.0, 630.0];
const MARGIN: f32 = 48.0;
/// A part of the picture, and the room between its edge and its text.
const PART: [f32; 2] = [540.0, 198.0];
const PADDING: f32 = 24.0;
/// In a line of a machine: room of its name, and the longest bar.
const NAME: f32 = 190.0;
const BAR: f32 = 190.0;

const PAPER: Colour = Colour(0xfb, 0xfa, 0xf7);
const WHITE: Colour = Colour(0xff, 0xff, 0xff);
const RULE: Colour = Colour(0xde, 0xda, 0xd1);
const INK: Colour = Colour(0x1d, 0x1c, 0x1a);
const QUIET: Colour = Colour(0x67, 0x63, 0x5c);
const ACCENT: Colour = Colour(0x0b, 0x6b, 0x66);
const WARN: Colour = Colour(0xa8, 0x43, 0x0f);

/// A box of the picture: its question, its number, lines beneath, and a share as a bar.
struct Part {
    question: &'static str,
    number: Option<String>,
    lines: Vec<String>,
    share: Option<f64>,
    /// Machines beside each other, in place of a number.
    rows: Vec<Row>,
}

/// A machine's line: its name, its value, and that as a share of the largest.
struct Row {
    who: String,
    much: String,
    share: f64,
    own: bool,
}

/// The card of a run as SVG. Whatever a test double made has no number on it.
pub fn card(run: &Run) -> String {
    picture(run).svg()
}

/// The same as PNG; `None` if it could not be drawn, which a test rules out.
pub fn card_png(run: &Run) -> Option<Vec<u8>> {
    picture(run).png()
}

fn picture(run: &Run) -> Picture {
    let page = Page::about(run, &[]);
    let manifest = &run.manifest;
    let date = manifest.started_at.split('T').next().unwrap_or_default();
    let suite = manifest.settings.suite.as_deref().map(|suite| format!(", suite {suite}")).unwrap_or_default();
    let simulated: Vec<&str> = manifest.devices.iter().filter(|d| d.simulated).map(|d| d.id.as_str()).collect();
    let foot = match (simulated.is_empty(), manifest.build.profile == "debug") {
        (false, _) => format!("simulated: {} is a test double and has no number here", simulated.join(", ")),
        (true, true) => "a debug build: these rates are not the machine's".to_owned(),
        (true, false) => "every number with its interval, roof and conditions: report.html of this run".to_owned(),
    };
    let alarming = !simulated.is_empty() || manifest.build.profile == "debug";
    let parts = [fast(&page), limit(&page), efficient(&page), against(&page)];
    let said = parts.iter().filter_map(|p| Some(format!("{}: {}", p.question, p.number.as_ref()?)));
    let about = format!("{}: {}", page.machine(), said.collect::<Vec<_>>().join("; "));
    let wide = SIZE[0] - 2.0 * MARGIN;
    let text = |y, size, weight, fill, text: &str| line([MARGIN, y], size, weight, fill, wide, text);
    let paper = Shape::Box { at: [0.0, 0.0], size: SIZE, round: 0.0, fill: PAPER, line: None };
    let mut shapes = vec![paper, text(78.0, 38.0, Weight::Bold, INK, &page.machine())];
    shapes.push(text(114.0, 20.0, Weight::Book, QUIET, &format!("spark-bench{suite}, {date}")));
    for (i, part) in parts.iter().enumerate() {
        let (column, row) = ((i % 2) as f32, (i / 2) as f32);
        shapes.extend(drawn(part, [MARGIN + column * (wide - PART[0]), 142.0 + row * (PART[1] + 18.0)]));
    }
    shapes.push(text(598.0, 17.0, Weight::Book, if alarming { WARN } else { QUIET }, &foot));
    Picture { size: SIZE, about: clean(&about), shapes }
}

/// A line of text, as much of it as has room.
fn line(at: [f32; 2], size: f32, weight: Weight, fill: Colour, wide: f32, text: &str) -> Shape {
    let text = clean(text);
    let text = Letters::of(weight).map_or(text.clone(), |letters| letters.fit(&text, size, wide));
    Shape::Text { at, size, weight, fill, text }
}

fn drawn(part: &Part, [x, y]: [f32; 2]) -> Vec<Shape> {
    let (left, wide) = (x + PADDING, PART[0] - 2.0 * PADDING);
    let text = |below, size, weight, fill, text: &str| line([left, y + below], size, weight, fill, wide, text);
    let mut shapes = vec![
        Shape::Box { at: [x, y], size: PART, round: 12.0, fill: WHITE, line: Some(RULE) },
        text(38.0, 19.0, Weight::Bold, QUIET, part.question),
    ];
    shapes.extend(part.number.as_ref().map(|number| text(100.0, 54.0, Weight::Bold, ACCENT, number)));
    let first = if part.number.is_some() { 136.0 } else { 69.0 };
    for (i, line) in part.lines.iter().take(4).enumerate() {
        shapes.push(text(first + 28.0 * i as f32, 19.0, Weight::Book, INK, line));
    }
    for (i, row) in part.rows.iter().enumerate() {
        let base = y + 97.0 + 21.0 * i as f32;
        let own = if row.own { Weight::Bold } else { Weight::Book };
        shapes.push(line([left, base], 16.0, own, INK, NAME - 10.0, &row.who));
        let (from, long) = (left + NAME, (BAR * row.share as f32).max(3.0));
        let bar = |inset: f32, fill| Shape::Box {
            at: [from + inset, base - 11.0 + inset],
            size: [long - 2.0 * inset, 11.0 - 2.0 * inset],
            round: 2.0,
            fill,
            line: None,
        };
        // Solid what was measured here, hollow what others report.
        shapes.push(bar(0.0, if row.own { ACCENT } else { QUIET }));
        if !row.own && long > 4.0 {
            shapes.push(bar(1.5, WHITE));
        }
        shapes.push(line([from + BAR + 12.0, base], 16.0, own, INK, wide - NAME - BAR - 12.0, &row.much));
    }
    if let Some(share) = part.share {
        let bar = |long, fill| Shape::Box { at: [left, y + 177.0], size: [long, 8.0], round: 4.0, fill, line: None };
        shapes.push(bar(wide, RULE));
        shapes.push(bar((wide * share as f32).clamp(8.0, wide), if share > 1.0 { WARN } else { ACCENT }));
    }
    shapes
}

fn none(question: &'static str, why: &[&str]) -> Part {
    Part {
        question,
        number: None,
        lines: why.iter().map(|line| (*line).to_owned()).collect(),
        share: None,
        rows: Vec::new(),
    }
}

fn number(shown: &Shown) -> Option<String> {
    shown.reason().is_none().then(|| shown.text())
}

fn fast(page: &Page) -> Part {
    let Some(e) = first_decode(page) else { return none("How fast", &["no model was decoded in this run"]) };
    let prefill =
        first_prefill(page).map(|p| format!("{} {}", told::rate(p, Amount::Items).text(), told::beneath(p, Some(e))));
    let lines = std::iter::once(format!("decodes {} ({})", told::model(e), told::shape(e))).chain(prefill).collect();
    Part { question: "How fast", number: number(&told::rate(e, Amount::Items)), lines, share: None, rows: Vec::new() }
}

/// The share of the decode, or else of the best matrix product.
fn limit(page: &Page) -> Part {
    let share = |e: &Entry| e.roof.as_ref().map_or(0.0, |r| if r.fraction > 1.0 { 0.0 } else { r.fraction });
    let decode = first_decode(page).filter(|e| e.roof.is_some());
    let best = decode.or_else(|| page.of("gemm").max_by(|a, b| share(a).total_cmp(&share(b))));
    let Some((e, roof)) = best.and_then(|e| Some((e, e.roof.as_ref()?))) else {
        return none("How close to the limit", &["no roof was measured in this run"]);
    };
    let read = memory_roof(page).map(|r| format!("memory is read at {}", told::rate(r, Amount::Bytes).text()));
    // A line of the card holds some 45 letters.
    let what = if decode.is_some() { format!("{} {}", told::model(e), told::shape(e)) } else { told::label(e) };
    let of = format!("of its {} roof: {what}", roof.bound.name());
    let lines = std::iter::once(of).chain(read).collect();
    Part {
        question: "How close to the limit",
        number: Some(percent(roof.fraction)),
        lines,
        share: Some(roof.fraction),
        rows: Vec::new(),
    }
}

fn efficient(page: &Page) -> Part {
    let spoken = first_decode(page).into_iter().chain(page.real()).find_map(|e| Some((e, told::per_joule(e)?)));
    let Some((e, shown)) = spoken else {
        return none("How efficient", &["not known: no power sensor covers", "the device that did the work"]);
    };
    // The scope stands beneath the number, which has no room for it.
    let text = number(&shown).unwrap_or_default();
    let (value, scope) = text.split_once(" (").unwrap_or((&text, ""));
    let scope = scope.trim_end_matches(')').to_owned();
    let lines = [told::label(e), format!("energy of {scope}")].into_iter().filter(|l| !l.ends_with("of ")).collect();
    Part { question: "How efficient", number: Some(value.to_owned()), lines, share: None, rows: Vec::new() }
}

/// The machines that are drawn, this one among them.
const ROWS: usize = 5;

fn against(page: &Page) -> Part {
    let rivals = rivals(page, first_decode(page));
    let Some(first) = rivals.first() else {
        return none("Against what", &["no published figure is of this run's work"]);
    };
    let own = &first.row.a;
    let rate = |value: f64, unit: &str| Shown::new(value, Unit::Si(unit), Status::Reported).text();
    let row = |o: &&crate::others::Other| (format!("{}, {}", o.figure.name, said(o.figure.kind)), o.row.b.value, false);
    let all: Vec<_> = std::iter::once(("this machine".to_owned(), own.value, true))
        .chain(rivals.iter().take(ROWS - 1).map(row))
        .collect();
    let most = all.iter().map(|(_, value, _)| *value).fold(0.0, f64::max);
    let rows = all.into_iter().map(|(who, value, own_row)| Row {
        who,
        much: rate(value, &own.unit),
        share: value / most,
        own: own_row,
    });
    let work = page.real().find(|e| e.id == own.id).map_or_else(|| first.row.work.clone(), told::label);
    Part { question: "Against what", number: None, lines: vec![work], share: None, rows: rows.collect() }
}
