//! The cards of the first screen: the four questions, each with its number, and the limits that were measured.

use super::energy::refusals;
use super::headline::{AGAINST, first_decode, first_prefill, memory_roof, peaks, rivals};
use crate::others::{Other, glyph};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit, mark};
use crate::told::{self, Amount, bar};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::conditions::Energy;
use spark_results::published::Kind;
use spark_results::roofline::Bound;

/// The cards in order. What has no number says why.
pub(crate) fn cards(page: &Page) -> Vec<Markup> {
    let (decode, prefill) = (first_decode(page), first_prefill(page));
    let mut cards = Vec::new();
    cards.extend(decode.or(prefill).map(|lead| fast(lead, prefill)));
    cards.extend(close(page, decode, prefill));
    cards.push(efficient(page, decode));
    cards.push(against(page, decode));
    cards.extend(limits(page));
    cards
}

/// Tokens a second: of the decode, and beneath it of the prefill.
fn fast(lead: &Entry, prefill: Option<&Entry>) -> Markup {
    html! {
        article.card {
            h2 { "How fast" }
            (told::rate(lead, Amount::Items).large())
            p.what { (lead.workload) "s " (told::model(lead)) " " (told::shape(lead)) }
            @if let Some(p) = prefill.filter(|p| p.id != lead.id) {
                p.second { (told::rate(p, Amount::Items).inline()) " " span.what { (told::beneath(p, Some(lead))) } }
            }
            @if let Some(weights) = lead.facts.get("weights") { p.what { "weights " (weights) } }
        }
    }
}

/// The share of the roof that binds: of the decode, else of the best matrix product; and of the prefill.
fn close(page: &Page, decode: Option<&Entry>, prefill: Option<&Entry>) -> Option<Markup> {
    // A share above 100 % is a doubtful one: it leads only if there is no other.
    let share = |e: &Entry| e.roof.as_ref().map_or(0.0, |r| if r.fraction > 1.0 { 0.0 } else { r.fraction });
    let of_gemm = || page.of("gemm").filter(|e| e.roof.is_some()).max_by(|a, b| share(a).total_cmp(&share(b)));
    let lead = decode.filter(|e| e.roof.is_some()).or_else(of_gemm)?;
    let roof = lead.roof.as_ref()?;
    Some(html! {
        article.card {
            h2 { "How close to the limit" }
            (Shown::new(roof.fraction, Unit::Share, Status::Derived).large())
            (bar(roof.fraction))
            p.what {
                "of what " (if roof.bound == Bound::Memory { "measured memory bandwidth" } else { "the measured arithmetic peak" })
                " allows: " (told::label(lead))
                @if let Some(why) = told::above(lead) { " " span.flag { (why) } }
            }
            @if let Some(p) = prefill { p.second { span.what { (told::beneath(p, decode)) " " } (told::share(p)) } }
        }
    })
}

/// Tokens a joule in the narrowest scope that holds the device, and the other scopes beneath; or why nothing is known.
fn efficient(page: &Page, decode: Option<&Entry>) -> Markup {
    let spoken = decode.into_iter().chain(page.real()).find_map(|e| Some((e, told::per_joule(e)?)));
    html! {
        article.card {
            h2 { "How efficient" }
            @if let Some((e, shown)) = spoken {
                (shown.large())
                p.what { (told::label(e)) }
                @for (scope, watts, a_joule) in scopes(e) {
                    p.second {
                        span.what { (scope) " " } (Shown::new(watts, Unit::Plain("W"), Status::Measured).inline())
                        @if let Some(items) = a_joule { ", " (Shown::new(1.0 / items, Unit::Plain("J a token"), Status::Derived).inline()) }
                    }
                }
            } @else {
                p.why { "Not available: no sensor covers the device that did the work." }
                @if let Some(first) = refusals(page).first() { p.what { (first.name) ": " (shortened(first.reason.as_deref())) } }
            }
        }
    }
}

/// Each scope that spoke during `e`: its watts, and tokens a joule where it contains the device.
fn scopes(e: &Entry) -> Vec<(&str, f64, Option<f64>)> {
    let Some(Energy::Measured { readings, .. }) = &e.energy else { return Vec::new() };
    let tokens = e.work.as_ref().is_some_and(|work| work.item == "token");
    let a_joule = |scope: &str| e.efficiency.iter().find(|x| x.scope == scope && tokens).map(|x| x.items_per_joule);
    readings.iter().filter(|r| !r.simulated).take(3).map(|r| (r.scope.as_str(), r.watts, a_joule(&r.scope))).collect()
}

/// The same work by others, as bars: this machine's solid, theirs hollow.
fn against(page: &Page, lead: Option<&Entry>) -> Markup {
    let all = rivals(page, lead);
    let shown: Vec<&&Other> = all.iter().take(AGAINST).collect();
    let work =
        all.first().map(|o| page.real().find(|e| e.id == o.row.a.id).map_or_else(|| o.row.work.clone(), told::label));
    let own = all.first().map(|o| (o.row.a.value, o.row.a.unit.as_str()));
    let most = shown.iter().map(|o| o.row.b.value).chain(own.map(|own| own.0)).fold(0.0, f64::max);
    let rate = |value: f64, unit: &str, status| Shown::new(value, Unit::Si(unit), status).inline();
    html! {
        article.card.broad {
            h2 { "Against what" }
            @if let (Some(work), Some((value, unit))) = (work, own) {
                p.what { (work) ": this machine as measured, others as they report it. " a href="#beside-published-machines" { "Sources" } }
                ul.rivals {
                    li {
                        span.who { span.key.a aria-hidden="true" { "●" } "this machine" }
                        (level(value / most, true))
                        span.much { (rate(value, unit, Status::Measured)) }
                    }
                    @for other in &shown {
                        li title=(other.source()) {
                            span.who { span.key aria-hidden="true" { (glyph(other.figure.kind)) } (other.figure.name) }
                            (level(other.row.b.value / most, other.figure.kind == Kind::Own))
                            span.much { (rate(other.row.b.value, &other.row.b.unit, status(other))) }
                        }
                    }
                }
            } @else {
                p.why { "Nothing: this run holds no work that a published figure is of." }
                p.what { "spark-bench all --suite full runs such work, as far as it fits." }
            }
        }
    }
}

/// What this project measured on another machine is as measured as what it did here.
fn status(other: &Other) -> Status {
    if other.figure.kind == Kind::Own { Status::Measured } else { Status::Reported }
}

/// A bar as long as a share of the longest: solid what was measured, hollow what is reported.
fn level(share: f64, own: bool) -> Markup {
    let width = (share.clamp(0.0, 1.0) * 1000.0).round() / 10.0;
    html! { span.level.own[own] aria-hidden="true" { i style=(format!("width:{width}%")) {} } }
}

/// What was measured of the machine itself: its read of memory, and its peaks.
fn limits(page: &Page) -> Option<Markup> {
    let (read, peaks) = (memory_roof(page), peaks(page));
    if read.is_none() && peaks.is_empty() {
        return None;
    }
    Some(html! {
        article.card {
            h2 { "The limits, measured" }
            dl.peaks {
                @if let Some(e) = read { dt { "memory read" } dd { (told::rate(e, Amount::Bytes).inline()) } }
                @for e in &peaks { dt { (told::shape(e)) } dd { (told::rate(e, Amount::Operations).inline()) } }
            }
            @if let Some(e) = read { p.what { "read: " (told::shape(e)) } }
            p.what { (mark(Status::Measured)) " measured " (mark(Status::Derived)) " derived " (mark(Status::Reported)) " reported by others" }
        }
    })
}

fn shortened(reason: Option<&str>) -> String {
    let reason = reason.unwrap_or("no reason given");
    let short: String = reason.chars().take(120).collect();
    if short.len() < reason.len() { format!("{short}…") } else { short }
}
