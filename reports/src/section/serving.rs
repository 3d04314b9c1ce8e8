//! Servers as they were seen from outside: first token, each further one, the whole answer, and what failed.

use super::{Section, notes};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::machine::clean;
use spark_results::quantity::{digits, duration, percent, si};
use spark_results::serving::{Percentile, Serving, Spread};

/// Servers.
#[derive(Debug)]
pub(crate) struct Servers;

impl Section for Servers {
    fn title(&self) -> &'static str {
        "Servers"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let found: Vec<(&Entry, &Serving)> = page.real().filter_map(|e| Some((e, e.serving.as_ref()?))).collect();
        if found.is_empty() {
            return None;
        }
        Some(html! {
            p {
                "Times are taken where bytes arrive: to the first piece of usable text, between pieces, to the end. An interval\u{2019}s end that so "
                "few requests cannot show is left out: of 100 requests nobody knows how slow the slowest in a hundred may be. Lateness is this "
                "program\u{2019}s own, between when a request was due and when it was sent."
            }
            @for (e, serving) in &found { (one(e, serving)) }
            @if let Some(notes) = notes(found.iter().map(|(e, _)| *e)) { (notes) }
        })
    }
}

fn one(e: &Entry, serving: &Serving) -> Markup {
    let mut table = Table::new(&["time", "p50", "p90", "p95", "p99", "most", "samples"]);
    for (name, spread) in serving.spreads() {
        let cells = [spread.p50, spread.p90, spread.p95, spread.p99].map(percentile);
        let [p50, p90, p95, p99] = cells;
        table.row([
            html! { (name) },
            p50,
            p90,
            p95,
            p99,
            Shown::new(spread.max, Unit::Time, Status::Measured).inline(),
            html! { (spread.samples) },
        ]);
    }
    html! {
        h3 { (told::shape(e)) " " span.of { (told::how(e)) } }
        dl.facts {
            dt { "Answered" } dd { (serving.answered) " of " (serving.sent) }
            dt { "Tokens of answers" } dd {
                (Shown::new(serving.output_tokens_per_s, Unit::Si("tok/s"), Status::Measured).inline())
                @if !serving.tokens_counted_by_server { " " span.of { "pieces counted as tokens: the server does not count" } }
            }
            @if let Some([low, high]) = serving.prompt_tokens {
                dt { "Tokens of a prompt" } dd { @if low == high { (low) } @else { (low) " to " (high) } }
            }
            @if let Some(share) = serving.cached_share {
                dt { "From the server\u{2019}s cache" } dd { (Shown::new(share, Unit::Share, Status::Reported).inline()) }
            }
            @if let Some(own) = &serving.by_server {
                dt { "By the server\u{2019}s own clock" } dd {
                    "a prompt read in " (half(&own.prompt_ns, Status::Reported)) " (p50), the first token here " (half(&own.beyond_ns, Status::Derived)) " later"
                    @if let Some(tpot) = &own.tpot_ns { "; each further token in " (half(tpot, Status::Reported)) }
                }
            }
            @if let Some(good) = &serving.goodput {
                dt { "Within the limits" } dd { (good.good) " of " (serving.sent) ", "
                    (Shown::new(good.per_s, Unit::Plain("answers/s"), Status::Measured).inline()) }
            }
            @for (error, count) in &serving.errors { dt { "Failed" } dd { (count) ": " (error) } }
        }
        @if let Some(table) = table.render() { (table) }
    }
}

fn half(spread: &Spread, status: Status) -> Markup {
    Shown::new(spread.p50.value, Unit::Time, status).inline()
}

fn percentile(p: Percentile) -> Markup {
    let end = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), duration);
    html! {
        (Shown::new(p.value, Unit::Time, Status::Measured).inline()) " "
        span.spread { (end(p.low)) " … " (end(p.high)) }
    }
}

/// The same for a terminal.
pub(crate) fn lines(serving: &Serving) -> Vec<String> {
    let end = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), duration);
    let shown = |name: &str, p: Percentile| format!("{name} {} ({} … {})", duration(p.value), end(p.low), end(p.high));
    let mut lines = vec![format!(
        "{} of {} answered in {} s; {} of answers{}",
        serving.answered,
        serving.sent,
        digits(serving.seconds),
        si(serving.output_tokens_per_s, "tok/s"),
        if serving.tokens_counted_by_server { "" } else { ", a piece taken for a token: the server does not count" }
    )];
    lines
        .extend(serving.spreads().map(|(name, s)| format!("{name}: {}, {}", shown("p50", s.p50), shown("p99", s.p99))));
    lines.extend(serving.by_server.as_ref().map(|own| {
        let tpot = own.tpot_ns.as_ref().map(|s| format!("; each further token in {}", duration(s.p50.value)));
        let [prompt, beyond] = [&own.prompt_ns, &own.beyond_ns].map(|s| duration(s.p50.value));
        format!(
            "by the server's own clock: a prompt read in {prompt} (p50), the first token here {beyond} later{}",
            tpot.unwrap_or_default()
        )
    }));
    lines.extend(serving.goodput.as_ref().map(|good| {
        format!("within the limits: {} of {}, {} answers/s", percent(good.share), serving.sent, digits(good.per_s))
    }));
    lines.extend(serving.errors.iter().map(|(error, count)| format!("failed {count} times: {}", clean(error))));
    lines
}
