//! Reads out of order: at random and at strides, beside those in order over the same set.

use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told::{self, Amount};
use maud::{Markup, html};
use spark_results::Entry;

pub(super) fn render(page: &Page) -> Option<Markup> {
    let rate = |e: &Entry| e.rates.and_then(|r| r.bytes_per_s);
    let alike = |a: &Entry, b: &Entry| ["bytes", "threads", "pages"].iter().all(|axis| a.axis(axis) == b.axis(axis));
    let mut table = Table::new(&["lines", "bandwidth", "time a line", "of the same in order", "how"]);
    for e in page.of("lines") {
        let threads = e.int("threads").unwrap_or(1) as f64;
        let line = e.time.zip(e.work.as_ref()).filter(|(_, w)| w.items > 0);
        let each = line.map(|(t, w)| t.median_ns / w.items as f64 * threads);
        let ordered = page.of("read").filter(|r| alike(e, r)).filter_map(rate).reduce(f64::max);
        let share = rate(e).zip(ordered).map(|(ours, theirs)| ours / theirs);
        table.row([
            html! { (told::shape(e)) },
            told::rate(e, Amount::Bytes).inline(),
            Shown::or(each, Unit::Time, Status::Derived, "").inline(),
            Shown::or(share, Unit::Share, Status::Derived, "").inline(),
            html! { (told::how(e)) },
        ]);
    }
    Some(html! {
        h3 { "Out of order" }
        p { "Single lines of 64 bytes, of which one word is used; whole lines are counted. Many are in flight at once. The time is that of one thread." }
        (table.render()?)
    })
}
