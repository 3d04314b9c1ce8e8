//! What published machines cost and how much memory that buys: the other half of the question whether Mac, graphics card or Spark.

use super::Section;
use crate::chart::{Axis, Chart, Ink, Line};
use crate::others::{KINDS, dots_of, glyph};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::published::{self, Figure};
use spark_results::quantity::digits;

/// Price against memory.
#[derive(Debug)]
pub(crate) struct Prices;

/// A price, and the memory of the very machine that it is of.
struct Offer {
    price: &'static Figure,
    gb: f64,
}

impl Offer {
    /// `4,000 USD in 2026-08, secondary`: who says so stands beside it.
    fn says(&self) -> String {
        let f = self.price;
        let what = match f.metric {
            "price_usd_launch" => ", when it came out",
            "price_usd_from" => ", and up",
            _ => "",
        };
        format!("{}{what}; {}, {}, {}; {}", f.machine, f.source, f.reference, f.date, f.confidence.words())
    }
}

/// The gigabytes that a name states, as in `M5 Max 128 GB` or `A100 80GB`.
fn stated(machine: &str) -> Option<f64> {
    let words: Vec<&str> = machine.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let joined = word.strip_suffix("GB").filter(|number| !number.is_empty());
        joined.or_else(|| (words.get(at + 1) == Some(&"GB")).then_some(*word))?.parse().ok()
    })
}

/// Every published price of a machine whose memory is known: a price of another size of the same system says nothing of it.
fn offers() -> Vec<Offer> {
    let all = published::all().unwrap_or_default();
    let built_in =
        |machine: &str| all.iter().find(|f| f.metric == "mem_capacity" && f.machine == machine).map(|f| f.value);
    let priced = all.iter().filter(|f| f.metric.starts_with("price_usd"));
    let mut offers: Vec<Offer> = priced
        .filter_map(|price| Some(Offer { price, gb: built_in(price.machine).or_else(|| stated(price.machine))? }))
        .collect();
    offers.sort_by(|a, b| (a.price.value / a.gb).total_cmp(&(b.price.value / b.gb)));
    offers
}

impl Section for Prices {
    fn title(&self) -> &'static str {
        "What others cost, and hold"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        page.real().next()?;
        let offers = offers();
        let mut table = Table::new(&["machine", "price", "memory", "price of a GB", "says who"]);
        for offer in &offers {
            table.row([
                html! { (glyph(offer.price.kind)) "\u{a0}" (offer.price.name) },
                Shown::new(offer.price.value, Unit::Plain("USD"), Status::Reported).inline(),
                Shown::new(offer.gb, Unit::Plain("GB"), Status::Reported).inline(),
                Shown::new(offer.price.value / offer.gb, Unit::Plain("USD/GB"), Status::Derived).inline(),
                html! { span.of { (offer.says()) } },
            ]);
        }
        let own = page.subject.run.manifest.machine.memory.total_bytes.filter(|b| *b > 0).map(|b| b as f64 / GIB);
        let (low, high) = range(offers.iter().map(|o| o.price.value))?;
        let (least, most) = range(offers.iter().map(|o| o.gb).chain(own))?;
        let line = |gb: f64| Line {
            ink: Ink::A,
            points: vec![(low / 2.0, gb), (high * 2.0, gb)],
            label: String::new(),
            shape: None,
        };
        let marks = offers.iter().map(|o| {
            let title = format!("{} USD, {} GB: {}", digits(o.price.value), digits(o.gb), o.says());
            (o.price.kind, (o.price.value, o.gb), title)
        });
        let chart = Chart {
            about: format!("Memory against price of {} offers; the table has the numbers", offers.len()),
            x: Axis::log("price, USD", low / 1.5, high * 1.5, |v| format!("{v:.0}")),
            y: Axis::log("memory, GB", least / 1.6, most * 1.6, |v| format!("{v:.0}")),
            bands: Vec::new(),
            lines: own.map(line).into_iter().collect(),
            dots: dots_of(&marks.collect::<Vec<_>>(), Ink::Text),
        };
        let there = |kind| offers.iter().any(|o| o.price.kind == kind);
        Some(html! {
            p {
                "Prices as their sources say them, in US dollars of their day; a graphics card\u{2019}s is without the computer around it, whose memory is not "
                "counted. What a million tokens cost on a machine, with every input to be changed: " code { "spark-bench fit" } "."
            }
            (chart.render(340))
            ul.legend {
                @for (kind, name) in KINDS { @if there(kind) { li { span.key aria-hidden="true" { (glyph(kind)) } (name) } } }
                @if own.is_some() { li { span.key.a aria-hidden="true" { "—" } "the memory of this machine; what it cost nobody told" } }
            }
            details { summary { "The same in numbers, each with who says so" } (table.render()?) }
        })
    }
}

/// Memory is sold in powers of two.
const GIB: f64 = (1_u64 << 30) as f64;

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, v| Some(range.map_or((v, v), |(low, high): (f64, f64)| (low.min(v), high.max(v)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_stands_beside_the_memory_of_its_own_machine_alone() {
        for (name, gb) in
            [("M5 Max MacBook Pro 128 GB", Some(128.0)), ("H100 80GB SXM", Some(80.0)), ("M4 Max (32-core GPU)", None)]
        {
            assert_eq!(stated(name), gb, "{name}");
        }
        assert_eq!(stated("M3 Ultra (80-core GPU, 512 GB, Mac Studio) 8 TB"), Some(512.0));
        let offers = offers();
        let of = |machine: &str| {
            offers.iter().filter(|o| o.price.machine.contains(machine)).map(|o| o.gb).collect::<Vec<_>>()
        };
        assert_eq!(of("RTX 4090"), [24.0]);
        assert!(of("DGX Spark").len() >= 3 && of("DGX Spark").iter().all(|gb| *gb == 128.0));
        assert!(of("M4 Max (32-core").is_empty(), "the sheet has another size of it");
        assert!(offers.len() >= 10 && offers.is_sorted_by(|a, b| a.price.value / a.gb <= b.price.value / b.gb));
    }
}
