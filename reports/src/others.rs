//! The same work by machines that others published figures of: each figure beside the fastest way in which this run did it.

use crate::chart::{Dots, Ink, Shape};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use spark_results::Run;
use spark_results::compare::{self, Compared};
use spark_results::published::{Figure, Kind};

/// A published figure and what this run has of the same work.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) figure: &'static Figure,
    pub(crate) row: Compared,
}

/// Every published figure that this run has the same work of: the same model, weight format, prompt or answer, depth and batch. What was
/// measured on this very machine before is no other's.
pub(crate) fn others(run: &Run) -> Vec<Other> {
    let here = run.manifest.machine.fingerprint();
    let rows = compare::figures(run, |figure| figure.system != here);
    rows.into_iter().map(|(figure, row)| Other { figure, row }).collect()
}

/// The mark of a kind of machine: hollow where what it shows is reported, solid where this project measured it; the machine of the run
/// is `●`.
pub(crate) const fn glyph(kind: Kind) -> &'static str {
    match kind {
        Kind::Spark => "◇",
        Kind::Mac => "○",
        Kind::DiscreteGpu => "□",
        Kind::Apu => "△",
        Kind::Datacenter => "☆",
        Kind::Own => "■",
    }
}

/// How what a mark shows was come by.
pub(crate) const fn said(kind: Kind) -> &'static str {
    if matches!(kind, Kind::Own) { "measured" } else { "reported" }
}

/// What hollow marks of a chart are, in its legend.
pub(crate) const HOLLOW: &str = "hollow, in the colour of the work: as others report it (○ a Mac, ◇ GB10, □ a graphics card, △ processor and graphics in one)";

/// What the marks stand for, in order.
pub(crate) const KINDS: [(Kind, &str); 6] = [
    (Kind::Spark, "a machine with GB10, reported"),
    (Kind::Mac, "a Mac, reported"),
    (Kind::DiscreteGpu, "a graphics card, reported"),
    (Kind::Apu, "a processor with graphics, or a module, reported"),
    (Kind::Datacenter, "a server's accelerator, reported"),
    (Kind::Own, "another machine, measured by this project"),
];

/// The same as a shape of a chart.
const fn shape(kind: Kind) -> Shape {
    match kind {
        Kind::Spark => Shape::Diamond,
        Kind::Mac => Shape::Disc,
        Kind::DiscreteGpu | Kind::Datacenter | Kind::Own => Shape::Square,
        Kind::Apu => Shape::Triangle,
    }
}

/// What others report of the work with these ids, each at its place on the x axis: hollow, a shape a kind of machine, the source on hover.
pub(crate) fn dots(page: &Page, work: &[(f64, &str)], ink: Ink) -> Vec<Dots> {
    let of = |id: &str| page.published.iter().filter(move |o| o.row.a.id == *id).collect::<Vec<_>>();
    let mark = |x: f64, other: &Other| (other.figure.kind, (x, other.row.b.value), other.title());
    let marks: Vec<_> = work.iter().flat_map(|(x, id)| of(id).into_iter().map(move |other| mark(*x, other))).collect();
    dots_of(&marks, ink)
}

/// Marks as hollow dots, those of a kind of machine together: the kind, the point, and what it says on hover.
pub(crate) fn dots_of(marks: &[(Kind, (f64, f64), String)], ink: Ink) -> Vec<Dots> {
    let of = |kind: Kind| {
        let found: Vec<_> = marks.iter().filter(|mark| mark.0 == kind).collect();
        Dots {
            ink,
            shape: shape(kind),
            hollow: kind != Kind::Own,
            points: found.iter().map(|mark| mark.1).collect(),
            titles: found.iter().map(|mark| mark.2.clone()).collect(),
        }
    };
    KINDS.iter().map(|(kind, _)| of(*kind)).filter(|dots| !dots.points.is_empty()).collect()
}

impl Other {
    /// Which machine, how much, and who says so.
    fn title(&self) -> String {
        let value = Shown::new(self.row.b.value, Unit::Si(&self.row.b.unit), Status::Reported).text();
        format!("{}: {value}, {}: {}", self.figure.machine, said(self.figure.kind), self.source())
    }
    /// Who says so, where, when, of which software and how it was come by.
    pub(crate) fn source(&self) -> String {
        let f = self.figure;
        let licence = f.licence.map(|licence| format!("; {licence}")).unwrap_or_default();
        format!("{}, {}, {}; {}; {}{licence}", f.source, f.reference, f.date, f.software, f.confidence.words())
    }
}
