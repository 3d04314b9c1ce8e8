//! `soak`: minutes at full load, in windows, until it is known what the machine keeps up.

mod digest;
mod part;
mod sustain;
#[cfg(test)]
mod tests;

use crate::axis::{self, Axis, BadRequest, Request};
use crate::llm::{DECODE, blocks::Settings, cases};
use crate::ops::GEMM;
use crate::workload::{Body, Decline, Footprint, Workload};
pub(crate) use digest::Digest;
use part::Part;
use spark_kernels::Device;
use spark_kernels::format::Format;
use spark_results::{Axes, AxisValue, BenchmarkId};
use std::sync::Arc;
use std::time::Duration;
use sustain::{Length, Sustain};

/// The workload `soak`.
pub static SOAK: Soak = Soak;

/// A load kept up.
#[derive(Clone, Copy, Debug)]
pub struct Soak;

/// Tokens of one decode: few, so that a window holds a whole number of them on slow machines too.
const TOKENS: u64 = 8;
/// The longest that a soak until steady takes.
pub const LONGEST_S: u64 = 1800;

const AXES: &[Axis] = &[
    Axis { name: "depth", about: "tokens that stand in the cache before the first", default: "0" },
    Axis { name: "format", about: "weights: mxfp4, nvfp4, q8_0, q4_0, bf16 or f32", default: "mxfp4" },
    Axis { name: "k", about: "the reduction of the gemm", default: "4096" },
    Axis {
        name: "load",
        about: "what is done: decode (bound by memory), gemm (bound by arithmetic) or both in turn",
        default: "decode",
    },
    Axis { name: "m", about: "rows of activations of the gemm", default: "512" },
    Axis {
        name: "model",
        about: "the model that decodes: a preset, a config.json or a folder with one",
        default: "llama-3.2-1b",
    },
    Axis { name: "n", about: "outputs of the gemm", default: "4096" },
    Axis { name: "seconds", about: "how long; 0: until the level stays, at most 1800", default: "60" },
];
/// Axes that mean nothing to one of the loads.
const OF_GEMM: [&str; 3] = ["k", "m", "n"];
const OF_DECODE: [&str; 2] = ["depth", "model"];

/// What a soak is made of: the decode's id, the gemm's, or both.
struct Loads {
    decode: Option<BenchmarkId>,
    gemm: Option<BenchmarkId>,
}

/// The ids of the loads that `axes` ask for, the first of them done by `implementation`. Errors: what cannot be, with the mend.
fn loads(axes: &Axes, implementation: &str, device: &dyn Device) -> Result<Vec<Loads>, BadRequest> {
    let load = axis::name(axes, "load")?;
    let format = axis::name(axes, "format")?;
    let taken = |names: &[&str]| -> std::collections::BTreeMap<String, Vec<AxisValue>> {
        names.iter().filter_map(|name| Some(((*name).to_owned(), vec![axes.get(*name)?.clone()]))).collect()
    };
    let ids = |workload: &dyn Workload, own: &[&str], more: (&str, AxisValue), implementation: &str| {
        let mut asked = taken(own);
        asked.insert("format".to_owned(), vec![AxisValue::from(format.as_str())]);
        asked.insert(more.0.to_owned(), vec![more.1]);
        workload.cases(&Request { axes: asked, implementation: implementation.to_owned() }, device)
    };
    let decodes = |how: &str| ids(&DECODE, &OF_DECODE, ("n_gen", AxisValue::Int(TOKENS)), how);
    let gemms = |how: &str| {
        let of: Format = format.parse().map_err(|e| BadRequest(format!("format: {e}")))?;
        ids(&GEMM, &OF_GEMM, ("activations", AxisValue::from(Settings::usual_activations(of).name())), how)
    };
    match load.as_str() {
        "decode" => Ok(decodes(implementation)?.into_iter().map(|id| Loads { decode: Some(id), gemm: None }).collect()),
        "gemm" => Ok(gemms(implementation)?.into_iter().map(|id| Loads { decode: None, gemm: Some(id) }).collect()),
        "both" => {
            let gemm = gemms("")?.pop();
            let all = decodes(implementation)?.into_iter();
            Ok(all.map(|id| Loads { decode: Some(id), gemm: gemm.clone() }).collect())
        }
        other => {
            let other = spark_results::machine::clean(other);
            Err(BadRequest(format!("load is '{other}'; it is decode, gemm or both")))
        }
    }
}

/// The loads of one id. Errors: it is none.
fn loads_of(id: &BenchmarkId, device: &dyn Device) -> Result<Loads, Decline> {
    let axes = axis::filled(&id.axes, AXES)?;
    let found = loads(&axes, &id.implementation, device)?.pop();
    found.ok_or_else(|| Decline::Skip(format!("nothing runs {id} here")))
}

impl Loads {
    fn each(&self) -> impl Iterator<Item = (&'static dyn Workload, &BenchmarkId)> {
        let decode = self.decode.iter().map(|id| (&DECODE as &dyn Workload, id));
        decode.chain(self.gemm.iter().map(|id| (&GEMM as &dyn Workload, id)))
    }
}

impl Workload for Soak {
    fn name(&self) -> &'static str {
        "soak"
    }
    fn about(&self) -> &'static str {
        "minutes at full load: how fast at first, how fast for good, when it falls, what brings it back"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        DECODE.implementations(device)
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        cases::around(self.name(), AXES, request, device, |axes| {
            length(axes)?;
            let mut all = Vec::new();
            for load in loads(axes, &request.implementation, device)? {
                let Some((_, first)) = load.each().next() else { continue };
                let mut meant = axes.clone();
                meant.retain(|name, _| {
                    (load.gemm.is_some() || !OF_GEMM.contains(&name.as_str()))
                        && (load.decode.is_some() || !OF_DECODE.contains(&name.as_str()))
                });
                all.push((first.implementation.clone(), meant));
            }
            Ok(all)
        })
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let mut all = Footprint::default();
        for (workload, id) in loads_of(id, device)?.each() {
            let one = workload.footprint(id, device)?;
            all.bytes = all.bytes.saturating_add(one.bytes);
            all.flops = all.flops.saturating_add(one.flops);
            all.traffic = all.traffic.saturating_add(one.traffic);
            all.setup = all.setup.saturating_add(one.setup);
        }
        Ok(all)
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        // A soak is compared with its own beginning; reading a roof would warm the machine before it.
        false
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Body, Decline> {
        let mut parts = Vec::new();
        for (workload, id) in loads_of(id, &**device)?.each() {
            parts.push(Part::new(workload.prepare(id, device, seed, memory)?.step()?, id.to_string()));
        }
        let mut axes = id.axes.clone();
        axes.entry("seconds".to_owned()).or_insert(AxisValue::Int(60));
        Ok(Body::Trial(Box::new(Sustain::new(parts, length(&axes)?))))
    }
}

/// How long `axes` ask for.
fn length(axes: &Axes) -> Result<Length, BadRequest> {
    Ok(match axis::count(axes, "seconds")? {
        0 => Length::UntilSteady { longest: Duration::from_secs(LONGEST_S) },
        seconds => Length::For(Duration::from_secs(seconds as u64)),
    })
}
