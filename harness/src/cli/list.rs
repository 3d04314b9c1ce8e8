//! `spark-bench list`: what there is, and why a thing is unavailable.

mod published;

use super::{Verdict, common, ui};
use serde_json::{Value, json};
use spark_kernels::format::Format;
use spark_results::quantity::{si, size};
use spark_workloads::llm::{PRESETS, Preset};
use spark_workloads::suite;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to list [default: everything but the published figures]
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
    /// Decoders by name, with their parameters and the bytes of their weights by format
    Models,
    /// Named lists of tasks
    Suites,
    /// Figures that others published, each with its source
    Published,
}

const EVERYTHING: [What; 5] = [What::Workloads, What::Implementations, What::Devices, What::Models, What::Suites];
/// Formats that a model's layers can be held in.
const FORMATS: [Format; 7] =
    [Format::Mxfp4, Format::Nvfp4, Format::Q8_0, Format::Q4_0, Format::Fp8, Format::Bf16, Format::F32];

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    if args.what == Some(What::Published) {
        match args.json {
            true => ui::line(serde_json::to_string_pretty(&published::json()?)?),
            false => published::tell()?,
        }
        return Ok(Verdict::Fine);
    }
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
        What::Published => ("published", published::json()?),
        What::Models => ("models", PRESETS.iter().map(model).collect::<anyhow::Result<_>>()?),
        What::Suites => {
            let suites = suite::ALL.iter().map(|(name, _)| suite::named(name)).collect::<Result<Vec<_>, _>>()?;
            ("suites", suites.iter().map(|s| json!({ "name": s.name, "about": s.about })).collect())
        }
    })
}

/// A preset with its config.json and its size: parameters, and bytes of all weights with embedding and head in q8_0, as they
/// are run by default.
fn model(preset: &Preset) -> anyhow::Result<Value> {
    let config = preset.config()?;
    let bytes = FORMATS.map(|format| (format.name(), config.weight_bytes(format, Format::Q8_0)));
    let told: Vec<_> = bytes.iter().map(|(format, bytes)| format!("{format} {}", size(*bytes))).collect();
    let active = config.mixture.map(|_| format!(", {} active", si(config.active_param_count() as f64, "")));
    let parameters = si(config.param_count() as f64, "");
    let about = format!("{parameters} parameters{}; {}", active.unwrap_or_default(), told.join(", "));
    let bytes: serde_json::Map<_, _> =
        bytes.iter().map(|(format, bytes)| ((*format).to_owned(), json!(bytes))).collect();
    Ok(json!({
        "name": preset.name,
        "about": about,
        "source": preset.source,
        "family": config.family.name(),
        "parameters": config.param_count(),
        "active_parameters": config.active_param_count(),
        "layers": config.layers,
        "context": config.context,
        "weight_bytes": bytes,
        "config": serde_json::from_str::<Value>(preset.json)?,
    }))
}
