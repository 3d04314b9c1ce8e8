//! One entry in words: what it is, how fast it was, how close to the roof.

use crate::shown::{Shown, Status, Unit};
use maud::{Markup, html};
use spark_results::quantity::{percent, size};
use spark_results::record::Metric;
use spark_results::roofline::Bound;
use spark_results::{BenchmarkId, Entry, stats};

/// The streams through memory, as workloads are named.
pub(crate) const STREAMS: [&str; 4] = ["read", "write", "copy", "triad"];

/// Whether there are numbers that may be shown: measured, and by no test double.
pub(crate) fn real(e: &Entry) -> bool {
    e.status == "measured" && !e.simulated
}

/// The shape in the field's words: `1 × 4096 × 4096`, `pp512 @ d4096`.
pub(crate) fn shape(e: &Entry) -> String {
    let n = |axis: &str| e.int(axis);
    let words = match e.workload.as_str() {
        "peak" => e.axis("type"),
        "read" | "write" | "copy" | "triad" | "lines" | "chase" => n("bytes").map(|bytes| {
            let mut text = size(bytes);
            if let Some(t) = n("threads") {
                text += &format!(", {t} thread{}", if t == 1 { "" } else { "s" });
            }
            e.axis("pages").map_or(text.clone(), |p| format!("{text}, {p} pages"))
        }),
        "gemm" => n("m").zip(n("n")).zip(n("k")).map(|((m, n), k)| format!("{m} × {n} × {k}")),
        "prefill" | "decode" => {
            e.axis("n_prompt").map(|n| format!("pp{n}")).or(e.axis("n_gen").map(|n| format!("tg{n}")))
        }
        "attention" => e
            .axis("phase")
            .zip(n("heads"))
            .zip(n("kv_heads"))
            .zip(n("head_dim"))
            .map(|(((phase, h), kv), d)| format!("{phase}, {h}/{kv} heads of {d}")),
        _ => None,
    };
    let known: &[&str] = match e.workload.as_str() {
        "gemm" if words.is_none() => &["format", "activations"],
        "prefill" | "decode" if words.is_none() => &["model", "format"],
        _ if words.is_none() => &[],
        "attention" => &["phase", "heads", "kv_heads", "head_dim", "depth"],
        "peak" => &["type"],
        "gemm" => &["m", "n", "k", "format", "activations"],
        "prefill" | "decode" => &["model", "format", "n_prompt", "n_gen", "depth", "batch"],
        _ => &["bytes", "threads", "pages"],
    };
    let mut text = words.unwrap_or_default();
    if known.contains(&"depth") {
        if let Some(depth) = n("depth").filter(|d| *d > 0) {
            text += &format!(" @ d{depth}");
        }
        if let Some(batch) = n("batch").filter(|b| *b > 1) {
            text += &format!(" × {batch} sequences");
        }
    }
    for (axis, value) in e.axes.iter().filter(|(axis, _)| !known.contains(&axis.as_str())) {
        if !text.is_empty() {
            text += " ";
        }
        text += &format!("{axis}={value}");
    }
    text
}

/// Workload and what distinguishes it, on one line.
pub(crate) fn label(e: &Entry) -> String {
    let kind = match e.workload.as_str() {
        "gemm" => formats(e),
        "prefill" | "decode" => model(e),
        _ => String::new(),
    };
    [e.workload.clone(), kind, shape(e)].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The same beneath `lead`: a model that `lead` has named already is not named again, and another one is.
pub(crate) fn beneath(e: &Entry, lead: Option<&Entry>) -> String {
    let same = lead.is_some_and(|lead| model(lead) == model(e));
    if same { format!("{} {}", e.workload, shape(e)) } else { label(e) }
}

/// `mxfp4 × int8`.
pub(crate) fn formats(e: &Entry) -> String {
    let part = |axis: &str| e.axis(axis);
    [part("format"), part("activations")].into_iter().flatten().collect::<Vec<_>>().join(" × ")
}

/// `llama-3.2-1b mxfp4`.
pub(crate) fn model(e: &Entry) -> String {
    [e.axis("model"), e.axis("format")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Integer work is counted in operations, the rest in floating-point operations.
pub(crate) fn operations(e: &Entry) -> &'static str {
    let of = e.axis("type").or(e.axis("activations")).unwrap_or_default();
    if of.starts_with("int") { "OP/s" } else { "FLOP/s" }
}

/// Which amount of work a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    Operations,
    Bytes,
    Items,
}

/// The rate of that kind with its interval; unavailable for a test double and where there is no such work.
pub(crate) fn rate(e: &Entry, of: Amount) -> Shown {
    let Some((time, work)) = e.time.as_ref().zip(e.work.as_ref()) else { return Shown::unavailable("") };
    let item = if work.item.is_empty() { "item" } else { &work.item };
    let items = if item == "token" { "tok/s".to_owned() } else { format!("{item}/s") };
    let (amount, unit) = match of {
        Amount::Operations => (work.flops, operations(e)),
        Amount::Bytes => (work.bytes, "B/s"),
        Amount::Items => (work.items, items.as_str()),
    };
    if e.simulated {
        return Shown::unavailable("simulated");
    }
    if amount == 0 || time.median_ns <= 0.0 {
        return Shown::unavailable("");
    }
    let per_s = |ns: f64| amount as f64 / (ns * 1e-9);
    Shown::new(per_s(time.median_ns), Unit::Si(unit), Status::Measured)
        .within(time.ci95_ns.map(|[low, high]| [per_s(high), per_s(low)]))
}

/// The rate that this workload is known by.
pub(crate) fn headline_rate(e: &Entry) -> Shown {
    let of = match e.workload.as_str() {
        "prefill" | "decode" => Amount::Items,
        "peak" => Amount::Operations,
        w if STREAMS.contains(&w) => Amount::Bytes,
        "chase" | "launch" | "loaded" | "pingpong" => return hop(e),
        _ => match (e.work.as_ref(), e.roof.as_ref()) {
            (_, Some(roof)) if roof.bound == Bound::Memory => Amount::Bytes,
            (Some(work), _) if work.flops > 0 => Amount::Operations,
            (Some(work), _) if work.bytes > 0 => Amount::Bytes,
            _ => Amount::Items,
        },
    };
    let shown = rate(e, of);
    match (&shown.reason(), e.metrics.first()) {
        (Some(_), Some(m)) if e.time.is_none() && !e.simulated => {
            stated(m, if e.origin.is_some() { Status::Reported } else { Status::Measured })
        }
        _ => shown,
    }
}

/// A value under the unit that a workload or another program gave it; only units that take prefixes get one.
pub(crate) fn stated(m: &Metric, status: Status) -> Shown {
    let unit = match m.unit.as_str() {
        "ns" => Unit::Time,
        "" | "ms" | "us" | "s" | "MiB" | "GB" | "kB" | "%" | "W" | "GB/s" | "tok/s/W" => Unit::Plain(&m.unit),
        unit => Unit::Si(unit),
    };
    Shown::new(m.value, unit, status)
}

/// Time of one dependent load.
pub(crate) fn hop(e: &Entry) -> Shown {
    let hops = e.work.as_ref().map_or(0, |w| w.items) as f64;
    match &e.time {
        Some(t) if hops > 0.0 && !e.simulated => Shown::new(t.median_ns / hops, Unit::Time, Status::Measured)
            .within(t.ci95_ns.map(|ns| ns.map(|ns| ns / hops))),
        _ => Shown::unavailable(if e.simulated { "simulated" } else { "" }),
    }
}

/// Time of one iteration.
pub(crate) fn time(e: &Entry) -> Shown {
    match &e.time {
        Some(t) if !e.simulated => Shown::new(t.median_ns, Unit::Time, Status::Measured).within(t.ci95_ns),
        _ => Shown::unavailable(""),
    }
}

/// The share of the roof as a bar, and which roof; above 100 % it says whose fault that is.
pub(crate) fn share(e: &Entry) -> Markup {
    let Some(roof) = e.roof.as_ref().filter(|_| !e.simulated) else {
        let why = e.roof_reason.as_ref().filter(|_| !e.simulated);
        return html! { span.none { "–" @if let Some(why) = why { " no share: " (why) } } };
    };
    let shown = Shown::new(roof.fraction, Unit::Share, Status::Derived);
    html! {
        (bar(roof.fraction)) (shown.inline()) " "
        span.of { "of " (roof.bound.name()) " roof" }
        @if let Some(why) = above(e) { " " span.flag { (why) } }
    }
}

/// Why a share is above 100 %, if it is: a finding about the roof, never a reason to hide the share.
pub(crate) fn above(e: &Entry) -> Option<&'static str> {
    let roof = e.roof.as_ref().filter(|r| r.fraction > 1.0)?;
    let of = |id: &str| id.parse::<BenchmarkId>().ok().and_then(|id| id.int("bytes"));
    let smaller =
        roof.bound == Bound::Memory && e.int("bytes").zip(of(&roof.of)).is_some_and(|(own, roofs)| own < roofs);
    Some(if smaller {
        "a smaller working set than the roof's: a cache serves part of it"
    } else {
        "the roof was measured too low"
    })
}

/// A bar as wide as a share.
pub(crate) fn bar(fraction: f64) -> Markup {
    let width = (fraction.clamp(0.0, 1.0) * 100.0).round();
    html! { span.bar.over[fraction > 1.0] aria-hidden="true" { i style=(format!("width:{width}%")) {} } }
}

/// The share for a terminal: `87 % mem`, `104 % mem!` where the roof is low, `133 % mem*` where a cache helps.
pub(crate) fn share_text(e: &Entry) -> String {
    e.roof.as_ref().filter(|_| !e.simulated).map_or_else(String::new, |r| {
        let bound = if r.bound == Bound::Memory { "mem" } else { "comp" };
        let mark = match above(e) {
            Some(why) if why.starts_with("the roof") => "!",
            Some(_) => "*",
            None => "",
        };
        format!("{} {bound}{mark}", percent(r.fraction))
    })
}

/// The error that was found and the one that is allowed.
pub(crate) fn error(e: &Entry) -> Markup {
    match (e.max_error, e.tolerance) {
        (Some(found), Some(allowed)) => html! {
            (Shown::new(found, Unit::Error, Status::Measured).inline()) " "
            span.of { "≤ " (format!("{allowed:.1e}")) }
        },
        _ => html! { span.none { "–" } },
    }
}

/// The median over all workers and moments of the clock measured beside it, in Hz.
pub(crate) fn clock(e: &Entry) -> Option<f64> {
    let hz: Vec<f64> = e.conditions.as_ref()?.core_clocks.iter().flat_map(|c| c.hz.iter().copied()).collect();
    (!hz.is_empty()).then(|| stats::median(&hz))
}

/// Bytes that one item touches.
pub(crate) fn bytes_per_item(e: &Entry) -> Option<f64> {
    let work = e.work.as_ref().filter(|w| w.items > 0 && w.bytes > 0)?;
    Some(work.bytes as f64 / work.items as f64)
}

/// Operations a byte.
pub(crate) fn intensity(e: &Entry) -> Option<f64> {
    let work = e.work.as_ref().filter(|w| w.flops > 0 && w.bytes > 0)?;
    Some(work.flops as f64 / work.bytes as f64)
}

/// Implementation and device, and whether caches were cold.
pub(crate) fn how(e: &Entry) -> String {
    use spark_results::record::Cache;
    let cache = match e.cache {
        Some(Cache::Cold) => ", cold",
        Some(Cache::Warm) => ", warm",
        None => "",
    };
    format!("{} on {}{cache}", e.implementation, e.device)
}

/// Items a joule, if a sensor covered the device.
pub(crate) fn per_joule(e: &Entry) -> Option<Shown> {
    let item = e.work.as_ref().map_or("item", |w| if w.item == "token" { "tok" } else { &w.item });
    let best = e.efficiency.first().filter(|_| !e.simulated)?;
    Some(Shown::new(best.items_per_joule, Unit::Plain(&format!("{item}/J ({})", best.scope)), Status::Derived))
}
