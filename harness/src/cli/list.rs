//! `spark-bench list`: what there is, and why a thing is unavailable.

use super::{Verdict, common, ui};
use serde_json::{Value, json};
use spark_workloads::suite;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to list [default: everything]
    #[arg(value_enum)]
    what: Option<What>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// What can be measured, with its axes
    Workloads,
    /// How, by workload, with the reason where one cannot run here
    Implementations,
    /// Where, with the reason where one cannot be used
    Devices,
    /// Named lists of tasks
    Suites,
}

const EVERYTHING: [What; 4] = [What::Workloads, What::Implementations, What::Devices, What::Suites];

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let place = common::place(None, &[])?;
    let mut all = serde_json::Map::new();
    for what in EVERYTHING {
        if args.what.is_none_or(|asked| asked == what) {
            let (name, rows) = rows(what, &place)?;
            all.insert(name.into(), rows);
        }
    }
    if args.json {
        ui::line(serde_json::to_string_pretty(&Value::Object(all))?);
        return Ok(Verdict::Fine);
    }
    for (name, rows) in &all {
        ui::line(format!("{name}:"));
        for row in rows.as_array().into_iter().flatten() {
            ui::line(format!("  {}", told(row)));
        }
    }
    Ok(Verdict::Fine)
}

/// A row as a line: its name, what it is about, and why it cannot be used.
fn told(row: &Value) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    let mut line = text("name").unwrap_or_default().to_owned();
    if let Some(about) = text("about") {
        line = format!("{line:<34} {about}");
    }
    if let Some(axes) = row.get("axes").and_then(Value::as_array) {
        let axes: Vec<_> =
            axes.iter().filter_map(|a| Some(format!("--{} {}", a["name"].as_str()?, a["default"].as_str()?))).collect();
        line = format!("{line}\n      {}", axes.join("  "));
    }
    match text("unavailable") {
        Some(why) => format!("{line}  (not here: {why})"),
        None => line,
    }
}

fn rows(what: What, place: &common::Place) -> anyhow::Result<(&'static str, Value)> {
    Ok(match what {
        What::Workloads => (
            "workloads",
            spark_workloads::ALL
                .iter()
                .map(|w| {
                    let axes: Vec<_> =
                        w.axes().iter().map(|a| json!({ "name": a.name, "about": a.about, "default": a.default })).collect();
                    json!({ "name": w.name(), "about": w.about(), "axes": axes })
                })
                .collect(),
        ),
        What::Implementations => {
            let mut rows = Vec::new();
            for device in place.devices.iter() {
                for workload in spark_workloads::ALL {
                    for (name, why) in workload.implementations(&**device) {
                        rows.push(json!({ "name": format!("{}/{}/{name}", workload.name(), device.id()), "unavailable": why }));
                    }
                }
            }
            ("implementations", rows.into())
        }
        What::Devices => (
            "devices",
            place
                .infos
                .iter()
                .map(|d| json!({ "name": d.id, "about": d.name, "unavailable": d.unavailable, "simulated": d.simulated }))
                .collect(),
        ),
        What::Suites => {
            let suites = suite::ALL.iter().map(|(name, _)| suite::named(name)).collect::<Result<Vec<_>, _>>()?;
            ("suites", suites.iter().map(|s| json!({ "name": s.name, "about": s.about })).collect())
        }
    })
}
