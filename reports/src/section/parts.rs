//! Where the time of a token goes: each op of prefill and decode, its share of the pass, and how close it comes to the roofs.

use super::Section;
use super::headline::{first_decode, first_prefill, memory_roof, peaks};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told::{self, bar};
use maud::{Markup, html};
use spark_results::record::OpTime;
use spark_results::roofline::Bound;
use spark_results::{Entry, stats};

/// The ops of a pass.
#[derive(Debug)]
pub(crate) struct Parts;

/// An op of a pass, with what follows from its times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'e> {
    pub(crate) op: &'e OpTime,
    /// Of all its calls in one pass.
    median_ns: f64,
}

impl Part<'_> {
    /// Operations a byte, and operations a second.
    pub(crate) fn point(&self) -> Option<(f64, f64)> {
        let work = &self.op.work;
        (work.flops > 0 && work.bytes > 0)
            .then(|| (work.flops as f64 / work.bytes as f64, work.flops as f64 / (self.median_ns * 1e-9)))
    }
    /// Of the roof that leaves the least speed: the one measured around `whole`, the pass that this is an op of, where that is of its kind,
    /// else this run's read of memory and peaks. Errors: why there is none.
    fn share(&self, page: &Page, whole: &Entry) -> Result<(Bound, f64), &'static str> {
        if !self.op.streams {
            return Err("works on what the op before left in a cache");
        }
        let around = |bound: Bound, of: &dyn Fn(&str) -> bool| {
            let roof = whole.roof.as_ref().filter(|roof| roof.bound == bound && of(&roof.of))?;
            let known: Vec<f64> = roof.roof_per_s.into_iter().flatten().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        let read = around(Bound::Memory, &|_| true).or_else(|| memory_roof(page).and_then(|e| e.rates?.bytes_per_s));
        let memory = self.op.work.bytes as f64 / read.ok_or("no read of memory in this run")?;
        let kind = self.op.arithmetic.as_deref().unwrap_or_default();
        let of = |e: &&Entry| e.axis("type").as_deref() == Some(kind);
        let in_run = || peaks(page).into_iter().find(of).and_then(|e| e.rates?.flops_per_s);
        let compute = match around(Bound::Compute, &|id| id.ends_with(&format!("type={kind}"))).or_else(in_run) {
            Some(peak) => self.op.work.flops as f64 / peak,
            None if self.op.work.flops < 8 * self.op.work.bytes => 0.0,
            None => return Err("the peak of its arithmetic is not in this run"),
        };
        let bound = if memory >= compute { Bound::Memory } else { Bound::Compute };
        Ok((bound, memory.max(compute) / (self.median_ns * 1e-9)))
    }
    fn rate(&self) -> Shown {
        let (work, seconds) = (&self.op.work, self.median_ns * 1e-9);
        let integers = self.op.arithmetic.as_ref().is_some_and(|of| of.starts_with("int"));
        let (amount, unit) = match work.flops >= 8 * work.bytes {
            true => (work.flops, if integers { "OP/s" } else { "FLOP/s" }),
            false => (work.bytes, "B/s"),
        };
        if amount == 0 {
            Shown::unavailable("")
        } else {
            Shown::new(amount as f64 / seconds, Unit::Si(unit), Status::Derived)
        }
    }
}

/// The ops of an entry, the one that takes longest first.
pub(crate) fn parts(e: &Entry) -> Vec<Part<'_>> {
    let median = |op: &OpTime| stats::median(&op.samples_ns.iter().map(|ns| *ns as f64).collect::<Vec<_>>());
    let mut all: Vec<Part> = e
        .ops
        .iter()
        .filter(|op| !op.samples_ns.is_empty())
        .map(|op| Part { op, median_ns: median(op) })
        .filter(|part| part.median_ns > 0.0)
        .collect();
    all.sort_by(|a, b| b.median_ns.total_cmp(&a.median_ns));
    all
}

/// The decode and the prefill that stand for the machine.
pub(crate) fn leads<'p>(page: &'p Page) -> impl Iterator<Item = &'p Entry> {
    first_decode(page).into_iter().chain(first_prefill(page))
}

/// A share of a pass below this says no more than that it is small.
const LEAST: f64 = 0.001;

impl Section for Parts {
    fn title(&self) -> &'static str {
        "Where the time goes"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let leads: Vec<&Entry> = leads(page).collect();
        let all: Vec<&Entry> = page.real().filter(|e| !e.ops.is_empty()).collect();
        let first = all.iter().filter(|e| leads.iter().any(|lead| lead.id == e.id));
        let rest: Vec<_> = all.iter().filter(|e| !leads.iter().any(|lead| lead.id == e.id)).collect();
        if all.is_empty() {
            return None;
        }
        Some(html! {
            p {
                "Each kind of op, all layers together, in passes of their own in which every op is waited for. The measured pass is not looked "
                "at and may be shorter than their sum. A share of the roof stands where weights, keys or values come from memory; what "
                "works on vectors in a cache has none."
            }
            @for e in first { @if let Some(one) = one(page, e) { (one) } }
            @if !rest.is_empty() {
                details {
                    summary { "The same of " (rest.len()) " more" }
                    @for e in rest { @if let Some(one) = one(page, e) { (one) } }
                }
            }
        })
    }
}

/// The ops of one entry.
fn one(page: &Page, e: &Entry) -> Option<Markup> {
    let all = parts(e);
    let sum: f64 = all.iter().map(|part| part.median_ns).sum();
    let mut table =
        Table::new(&["op", "share of the pass", "time", "calls", "rate", "operations a byte", "share of roof"]);
    for part in &all {
        let share = part.median_ns / sum;
        table.row([
            html! { (part.op.name) },
            html! {
                (bar(share))
                @if share < LEAST { "under 0.1 %" } @else { (Shown::new(share, Unit::Share, Status::Derived).inline()) }
            },
            Shown::new(part.median_ns, Unit::Time, Status::Measured).inline(),
            html! { (part.op.calls) },
            part.rate().inline(),
            match part.point() {
                Some((intensity, _)) => Shown::new(intensity, Unit::Plain("op/B"), Status::Derived).inline(),
                None => html! { span.none { "–" } },
            },
            match part.share(page, e) {
                Ok((bound, share)) => html! {
                    (bar(share)) (Shown::new(share, Unit::Share, Status::Derived).inline()) " "
                    span.of { "of " (bound.name()) " roof" }
                    @if share > 1.0 { " " span.flag { "a cache serves part of it, or the roof was measured too low" } }
                },
                Err(why) => html! { span.none { "– " (why) } },
            },
        ]);
    }
    let table = table.render()?;
    let passes = all.iter().map(|part| part.op.samples_ns.len()).max().unwrap_or(0);
    Some(html! {
        h3 { (told::label(e)) }
        p.of {
            "One after another the ops take " (Shown::new(sum, Unit::Time, Status::Measured).inline()) " (median of " (passes) ")"
            ", the measured pass " (told::time(e).inline()) "."
        }
        (table)
    })
}
