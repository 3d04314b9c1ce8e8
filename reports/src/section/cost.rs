//! What a million tokens cost on this machine, from its own joules a token; every other input stands beside it and can be changed.

use super::Section;
use super::headline::first_decode;
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::conditions::{Energy, EnergyReading};
use spark_results::cost::{Inputs, usual};
use spark_results::published::{Named, Said, files, system_of};
use spark_results::quantity::digits;

/// Cost.
#[derive(Debug)]
pub(crate) struct Cost;

/// The reading of the widest scope that holds the device, with its joules a token: it costs the most, and nothing of it is free.
fn widest(e: &Entry) -> Option<(&EnergyReading, f64)> {
    let Some(Energy::Measured { readings, .. }) = &e.energy else { return None };
    let tokens = e.work.as_ref().is_some_and(|work| work.item == "token");
    let of = |r: &&EnergyReading| {
        e.efficiency.iter().find(|x| x.scope == r.scope && tokens).map(|x| 1.0 / x.items_per_joule)
    };
    readings.iter().filter_map(|r| Some((r, of(&r)?))).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// What the machine costs, if it is one that a price was published of.
fn price(page: &Page) -> Option<Said> {
    let system = system_of(&page.subject.run.manifest)?;
    let name = &files().ok()?.iter().find(|file| file.system == system)?.name;
    Named::find(name).ok()?.price
}

impl Section for Cost {
    fn title(&self) -> &'static str {
        "What a million tokens cost"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let e = first_decode(page)?;
        let rate = e.rates?.items_per_s?;
        let Some((reading, joules_per_token)) = widest(e) else {
            return Some(html! {
                p.why {
                    "Not told: no joules a token were measured here. With watts from elsewhere, such as a meter at the wall, "
                    code { "spark-bench fit --watts W" } " tells it."
                }
            });
        };
        let (price, at_rest) = (price(page), reading.net.as_ref().map(|net| net.idle_watts));
        let inputs = Inputs {
            joules_per_token,
            tokens_per_s: rate,
            tariff_per_kwh: usual::TARIFF_PER_KWH,
            idle_share: usual::IDLE_SHARE,
            idle_watts: at_rest.unwrap_or(usual::IDLE_WATTS),
            price: price.as_ref().map_or(0.0, |said| said.value),
            lifetime_years: usual::LIFETIME_YEARS,
            api_price_per_mtok: None,
        };
        let (cost, bands) = (inputs.cost().ok()?, inputs.sensitivity().ok()?);
        let money = |value: f64| Shown::new(value, Unit::Plain("USD/Mtok"), Status::Derived).inline();
        let energy = |wh: f64| Shown::new(wh, Unit::Plain("Wh/Mtok"), Status::Derived).inline();
        let none = || html! { span.none { "–" } };
        let mut lines = Table::new(&["line", "cost", "energy", "what is in it"]);
        lines.row([
            html! { "marginal" },
            money(cost.marginal),
            energy(cost.wh_per_mtok),
            html! { "electricity while it works" },
        ]);
        lines.row([
            html! { "with idle" },
            money(cost.with_idle),
            energy(cost.wh_per_mtok_with_idle),
            html! { "and in the hours between" },
        ]);
        lines.row([
            html! { "with the machine" },
            price
                .as_ref()
                .map_or_else(|| html! { span.none { "– its price is not known" } }, |_| money(cost.with_machine)),
            none(),
            html! { "and its price over the " (digits(cost.mtok_in_life)) " million tokens of its life" },
        ]);
        let mut inputs_table = Table::new(&["input", "value", "from", "with half of it", "with twice of it"]);
        let band = |name: &str| bands.iter().find(|band| band.input == name);
        let rows = [
            ("joules a token", format!("{} J", digits(joules_per_token)), format!("measured, {}", reading.scope)),
            ("tokens a second", format!("{} tok/s", digits(rate)), "measured".to_owned()),
            ("tariff", format!("{} USD/kWh", inputs.tariff_per_kwh), "usual; --tariff".to_owned()),
            (
                "busy share",
                format!("{} %", digits(100.0 * (1.0 - inputs.idle_share))),
                "usual; --idle-share".to_owned(),
            ),
            (
                "idle watts",
                format!("{} W", digits(inputs.idle_watts)),
                at_rest.map_or("usual; --idle-watts".to_owned(), |_| "measured at rest, same scope".to_owned()),
            ),
            (
                "price",
                price.as_ref().map_or("–".to_owned(), |said| format!("{} USD", digits(said.value))),
                price.as_ref().map_or("not known; --price".to_owned(), |said| said.by.clone()),
            ),
            ("lifetime", format!("{} years", digits(inputs.lifetime_years)), "usual; --lifetime".to_owned()),
        ];
        for (name, value, from) in rows {
            // Without a price the machine's line is that with idle hours, which a band of the price or the life says nothing of.
            let told = band(name).filter(|_| price.is_some() || !matches!(name, "price" | "lifetime"));
            inputs_table.row([
                html! { (name) },
                html! { (value) },
                html! { span.of { (from) } },
                told.map_or_else(none, |band| money(band.half)),
                told.map_or_else(none, |band| money(band.twice)),
            ]);
        }
        Some(html! {
            p {
                "One stream of " (told::label(e)) ", in the widest scope that a sensor covers: several sequences together cost less each. Every input is here; "
                code { "spark-bench fit --run RUN --tariff 0.30/kWh --price 4000 --api-price 0.60/Mtok" } " changes any of them and tells the break-even."
            }
            (lines.render()?)
            h3 { "Inputs, and the last line that is known with half and with twice of each" }
            (inputs_table.render()?)
        })
    }
}
