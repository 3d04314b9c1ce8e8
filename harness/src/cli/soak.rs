//! `spark-bench soak`: minutes at full load, and what the machine keeps up.

use super::common::{self, Common};
use super::{Verdict, stop, ui};
use crate::plan;
use anyhow::bail;
use spark_results::quantity::{digits, percent, si};
use spark_results::soak::{Beside, Soak, Stretch};
use spark_results::{AxisValue, Document};
use spark_workloads::{Request, soak::SOAK, suite};
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What is done: decode (bound by memory), gemm (bound by arithmetic), or both in turn
    #[arg(long, value_name = "LOAD", default_value = "decode", value_parser = ["decode", "gemm", "both"])]
    load: String,
    /// How long the load lasts; before it the machine rests for 5 s, behind it pauses show how fast it recovers [default: 5]
    #[arg(long, value_name = "MINUTES", value_parser = minutes, allow_negative_numbers = true)]
    minutes: Option<u64>,
    /// Until the level has stayed for a minute and a third of the whole, at most half an hour
    #[arg(long, conflicts_with = "minutes")]
    until_steady: bool,
    /// The model that decodes: a preset name (spark-bench list models) or a config.json
    #[arg(long, short, value_name = "MODEL", default_value = "llama-3.2-1b")]
    model: String,
    /// Format of the synthetic weights: mxfp4, nvfp4, fp8, q8_0, q4_0, bf16, f32
    #[arg(long, value_name = "FORMAT", default_value = "mxfp4")]
    format: String,
    /// Tokens that stand in the cache before the first; seeded, not prefilled
    #[arg(long, value_name = "N")]
    depth: Option<String>,
    /// Rows of activations of the gemm
    #[arg(long, value_name = "N")]
    m: Option<String>,
    /// Outputs of the gemm
    #[arg(long, value_name = "N")]
    n: Option<String>,
    /// The reduction of the gemm
    #[arg(long, value_name = "N")]
    k: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Minutes as seconds: `5`, `0.5`.
fn minutes(text: &str) -> Result<u64, String> {
    let minutes: f64 = text.parse().map_err(|_| format!("'{text}' is no number of minutes; write 5 or 0.5"))?;
    let seconds = minutes * 60.0;
    if (1.0..=7.0 * 86_400.0).contains(&seconds) {
        Ok(seconds.round() as u64)
    } else {
        Err(format!("'{text}' minutes cannot be; it takes a second at least and a week at most"))
    }
}

impl Args {
    fn request(&self) -> Request {
        let seconds = if self.until_steady { 0 } else { self.minutes.unwrap_or(300) };
        let mut axes: BTreeMap<String, Vec<AxisValue>> = BTreeMap::new();
        axes.insert("seconds".into(), vec![AxisValue::Int(seconds)]);
        let given = [
            ("load", Some(&self.load)),
            ("model", Some(&self.model)),
            ("format", Some(&self.format)),
            ("depth", self.depth.as_ref()),
            ("m", self.m.as_ref()),
            ("n", self.n.as_ref()),
            ("k", self.k.as_ref()),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                axes.insert(name.into(), vec![AxisValue::from(value.as_str())]);
            }
        }
        Request { axes, implementation: String::new() }
    }
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let policy = suite::named("standard")?.measure;
    let (place, tasks) = match args.common.resumed()? {
        Some(manifest) => {
            let place = common::place_again(&manifest)?;
            let tasks = plan::again(&manifest.planned, &place.devices)?;
            (place, tasks)
        }
        None => {
            let place = common::place(args.common.one_thread_count()?, &args.common.device)?;
            let mut tasks = Vec::new();
            plan::add(&mut tasks, &SOAK, &args.request(), &place.devices, &args.common.filter)?;
            (place, tasks)
        }
    };
    let available = place.available();
    if let [task] = &tasks[..]
        && let Some(why) = task.declined(available)
    {
        bail!("{}: {why}", task.id);
    }
    let (verdict, run, folder) = common::measured(&args.common, None, policy, place, &tasks)?;
    let document = Document::of(&run);
    if args.common.json {
        common::document(&run);
    } else if !args.common.quiet {
        for (entry, soak) in document.records.iter().filter_map(|e| Some((e, e.soak.as_ref()?))) {
            ui::data(&format!("{}\n{}", entry.id, text(soak)));
        }
    }
    common::whereabouts(&args.common, &run, &folder);
    // What was measured until Ctrl-C has its record; the exit code says that it was less than asked for.
    Ok(if verdict == Verdict::Fine && stop::asked() { Verdict::Interrupted } else { verdict })
}

/// A soak in a few lines.
fn text(soak: &Soak) -> String {
    let rate = |per_s: f64| {
        if soak.item == "FLOP" { si(per_s, "FLOP/s") } else { format!("{} {}/s", digits(per_s), soak.item) }
    };
    let mut lines = vec![format!(
        "  burst {}, sustained {}: {} of it",
        rate(soak.burst),
        rate(soak.sustained),
        percent(soak.ratio)
    )];
    lines.push(match soak.throttled_after_s {
        Some(s) => format!("  slower after {} s of load", digits(s)),
        None => "  it did not slow down by more than 3 %".into(),
    });
    match (soak.throttled_after_s, soak.recovered_after_s) {
        (Some(_), Some(s)) => lines.push(format!("  back at its burst after {} s of pause", digits(s))),
        (Some(_), None) if soak.paused_s > 0.0 => {
            lines.push(format!("  not back at its burst after {} s of pause", digits(soak.paused_s)));
        }
        _ => {}
    }
    for early in &soak.early {
        let late = soak.late.iter().find(|l| l.scope == early.scope);
        let late = late.map(|l| format!(", late {}", digits(l.items_per_joule))).unwrap_or_default();
        lines.push(format!("  {}/J ({}): early {}{late}", soak.item, early.scope, digits(early.items_per_joule)));
    }
    lines.extend(soak.stretches.iter().map(|s| stretch(s, &rate(s.per_s))));
    lines.join("\n") + "\n"
}

fn stretch(s: &Stretch, rate: &str) -> String {
    let beside = s.beside.iter().filter(|b| b.quantity != "frequency").map(told);
    let beside: Vec<_> = beside.take(6).collect();
    let beside = if beside.is_empty() { String::new() } else { format!("  ({})", beside.join(", ")) };
    format!("  {:>7} s to {:>7} s  {rate}{beside}", digits(s.from_s), digits(s.to_s))
}

fn told(b: &Beside) -> String {
    let value = match b.unit.as_str() {
        "Hz" => si(b.mean, "Hz"),
        "degC" => format!("{:.0} °C", b.mean),
        unit => format!("{} {unit}", digits(b.mean)),
    };
    format!("{} {value}", b.scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_whole_seconds_or_refused() {
        assert_eq!((minutes("5"), minutes("0.1")), (Ok(300), Ok(6)));
        for bad in ["0", "-1", "x", "NaN", "1e9"] {
            assert!(minutes(bad).unwrap_err().contains(bad), "{bad}");
        }
    }

    #[test]
    fn a_soak_is_told_with_what_it_means() {
        let beside =
            Beside { quantity: "temperature".into(), scope: "acpitz 0".into(), mean: 88.4, unit: "degC".into() };
        let stretch = |from_s, to_s, per_s| Stretch { from_s, to_s, per_s, beside: vec![beside.clone()] };
        let soak = Soak {
            item: "token".into(),
            stretches: vec![stretch(0.0, 40.0, 50.0), stretch(40.0, 300.0, 40.0)],
            burst: 50.0,
            sustained: 40.0,
            ratio: 0.8,
            throttled_after_s: Some(40.0),
            recovered_after_s: None,
            paused_s: 75.0,
            early: Vec::new(),
            late: Vec::new(),
        };
        let told = text(&soak);
        for said in ["80 % of it", "slower after 40.0 s", "not back at its burst after 75.0 s", "acpitz 0 88 °C"] {
            assert!(told.contains(said), "{said} in {told}");
        }
        let steady = Soak { throttled_after_s: None, ..soak };
        assert!(text(&steady).contains("did not slow down"), "{}", text(&steady));
    }
}
