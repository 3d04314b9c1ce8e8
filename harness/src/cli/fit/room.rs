//! What a machine offers: this one as measured, or a published one by its data sheet; each number with where it comes from.

use super::Args;
use crate::cli::common::{self, Place};
use crate::plan;
use crate::roofs::Roofs;
use anyhow::bail;
use spark_kernels::Arithmetic;
use spark_kernels::format::Format;
use spark_results::published::Named;
use spark_results::quantity::{percent, si, size};
use spark_results::roofline::Bound;
use spark_results::{Document, ceilings};
use spark_workloads::llm::fit::Room;
use spark_workloads::workload::Roofs as Needs;

/// A number, or why there is none; in both cases where that comes from.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) value: Option<f64>,
    pub(super) from: String,
}

impl Known {
    fn new(value: f64, from: impl Into<String>) -> Self {
        Self { value: Some(value), from: from.into() }
    }
    fn none(why: impl Into<String>) -> Self {
        Self { value: None, from: why.into() }
    }
}

/// A machine, as far as its figures are known.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// What it is called.
    pub(super) machine: String,
    /// Bytes that a model may use, the margin taken off.
    pub(super) memory: Known,
    /// Bytes a second of its memory.
    pub(super) bandwidth: Known,
    /// Operations a second by the kind of arithmetic that weights take.
    pub(super) peaks: Vec<(&'static str, Known)>,
    /// What it costs.
    pub(super) price: Known,
    /// Other machines of the name.
    pub(super) others: Vec<String>,
}

/// The arithmetics that weights are multiplied in.
const FOUR_BITS: &str = "fp4";
const INTEGERS: &str = "int8";
const FLOATS: &str = "bf16";

/// The fastest arithmetic that weights in `format` can take; the bits alone do not say.
fn arithmetic(format: Option<Format>) -> &'static str {
    match format {
        Some(Format::Mxfp4 | Format::Nvfp4) => FOUR_BITS,
        Some(Format::Bf16 | Format::F16 | Format::F32) => FLOATS,
        _ => INTEGERS,
    }
}

impl Offer {
    /// The machine that the command line means.
    pub(super) fn of(args: &Args, run: Option<&Document>) -> anyhow::Result<Self> {
        let mut offer = match (&args.on, run) {
            (Some(_), Some(_)) => bail!("--on and --run name two machines; give one of them"),
            (Some(name), None) => published(name, args.margin)?,
            (None, Some(run)) => measured(run, args.margin),
            (None, None) => here(args)?,
        };
        if let Some(memory) = args.memory {
            offer.memory = Known::new(
                memory * (1.0 - args.margin),
                format!("{} as given, less {}", size(memory as u64), percent(args.margin)),
            );
        }
        if let Some(rate) = args.bandwidth {
            offer.bandwidth = Known::new(rate, "as given");
        }
        if let Some(rate) = args.peak {
            offer.peaks = [FOUR_BITS, INTEGERS, FLOATS].map(|of| (of, Known::new(rate, "as given"))).into();
        }
        if let Some(price) = args.price {
            offer.price = Known::new(price, "as given");
        }
        Ok(offer)
    }
    /// What operations of weights in `format` have.
    pub(super) fn peak(&self, format: Option<Format>) -> Known {
        let wanted = arithmetic(format);
        let found = self.peaks.iter().find(|(of, _)| *of == wanted).map(|(_, known)| known.clone());
        found.unwrap_or_else(|| Known::none(format!("no {wanted} peak is known of it; give --peak")))
    }
    /// All of it, for weights in `format`.
    pub(super) fn room(&self, format: Option<Format>) -> Room {
        Room { memory: self.memory.value, bytes_per_s: self.bandwidth.value, flops_per_s: self.peak(format).value }
    }
}

/// A published machine, by its data sheets: dense tensor peaks, the next wider type's where no other is known.
fn published(name: &str, margin: f64) -> anyhow::Result<Offer> {
    let named = Named::find(name)?;
    let memory = match named.memory {
        Some(said) => Known::new(said.value * (1.0 - margin), format!("{} less {}", said.by, percent(margin))),
        None => Known::none("no memory size is published; name it, as in 'M4 Max 64GB'"),
    };
    let bandwidth = match named.bandwidth {
        Some(said) => Known::new(said.value, format!("data sheet: {}", said.by)),
        None => Known::none("no bandwidth is published; give --bandwidth"),
    };
    let peak = |names: &[&str]| {
        let said = names.iter().find_map(|name| named.peaks.iter().find(|(of, _)| of == name));
        said.map(|(of, said)| Known::new(said.value, format!("data sheet, dense {of}: {}", said.by)))
    };
    let peaks =
        [(FOUR_BITS, peak(&["fp4", "fp8", "bf16"])), (INTEGERS, peak(&["fp8", "bf16"])), (FLOATS, peak(&["bf16"]))];
    Ok(Offer {
        machine: named.machine.to_owned(),
        memory,
        bandwidth,
        peaks: peaks.into_iter().filter_map(|(of, known)| Some((of, known?))).collect(),
        price: named
            .price
            .map_or_else(|| Known::none("no price is published; give --price"), |said| Known::new(said.value, said.by)),
        others: named.others,
    })
}

fn usable(available: Option<u64>, margin: f64) -> Known {
    match available {
        Some(bytes) => {
            let usable = plan::usable((bytes as f64 * (1.0 - margin)) as u64);
            Known::new(
                usable as f64,
                format!("{} available, less {} and what the system keeps", size(bytes), percent(margin)),
            )
        }
        None => Known::none("the system does not say how much memory is available; give --memory"),
    }
}

/// The machine of a stored run, by what it measured.
fn measured(run: &Document, margin: f64) -> Offer {
    let machine = &run.manifest.machine;
    let bandwidth = match ceilings::read(&run.records) {
        Some((rate, id)) => Known::new(rate, format!("measured: {id} in run {}", run.manifest.id)),
        None => {
            Known::none(format!("run {} has no read of memory; `spark-bench run read` measures one", run.manifest.id))
        }
    };
    let peak = |of: &'static str, types: &[&str]| {
        ceilings::peak(&run.records, types)
            .map(|(rate, id)| (of, Known::new(rate, format!("measured: {id} in run {}", run.manifest.id))))
    };
    Offer {
        machine: machine.cpu.brand.clone().unwrap_or_else(|| "the machine of the run".to_owned()),
        memory: usable(machine.memory.available_bytes, margin),
        bandwidth,
        peaks: [
            peak(FOUR_BITS, &["nvfp4", "mxfp4", "int8"]),
            peak(INTEGERS, &["int8"]),
            peak(FLOATS, &["bf16", "f32"]),
        ]
        .into_iter()
        .flatten()
        .collect(),
        price: Known::none("what this machine cost is not known; give --price"),
        others: Vec::new(),
    }
}

/// This machine: memory as it stands, roofs measured in a moment where they are not given.
fn here(args: &Args) -> anyhow::Result<Offer> {
    let Place { machine, devices, .. } = common::place(None, &[])?;
    let device =
        devices.get("cpu").ok_or_else(|| anyhow::anyhow!("the cpu is not there; give --on a published machine"))?;
    let memory = usable(machine.memory.available_bytes, args.margin);
    let free = machine.memory.available_bytes.map_or(u64::MAX, plan::usable);
    let (mut bandwidth, mut peaks) = (Known::none("not measured"), Vec::new());
    if args.bandwidth.is_none() || args.peak.is_none() {
        let mut roofs = Roofs::of(device, 1);
        for (of, arithmetic) in [(INTEGERS, Arithmetic::Int8), (FLOATS, Arithmetic::F32)] {
            let needs =
                Needs { memory: args.bandwidth.is_none() && bandwidth.value.is_none(), compute: Some(arithmetic) };
            let absent = roofs.prepare(needs, free);
            for reading in
                roofs.before(needs).map_err(|fault| anyhow::anyhow!("roofs: {fault}; give --bandwidth and --peak"))?
            {
                let Some(rate) = reading.before() else { continue };
                let known = Known::new(rate, format!("measured now: {}", reading.of));
                if reading.bound == Bound::Memory {
                    bandwidth = known;
                    continue;
                }
                // Four bits are multiplied as integers on a CPU.
                peaks.extend((of == INTEGERS).then(|| (FOUR_BITS, known.clone())));
                peaks.push((of, known));
            }
            if let Some(absent) = absent.first().filter(|_| bandwidth.value.is_none()) {
                bandwidth = Known::none(format!("{}: {}", absent.what, absent.why));
            }
        }
    }
    Ok(Offer {
        machine: machine.cpu.brand.unwrap_or_else(|| "this machine".to_owned()),
        memory,
        bandwidth,
        peaks,
        price: Known::none("what this machine cost is not known; give --price"),
        others: Vec::new(),
    })
}

impl std::fmt::Display for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "machine    {}", self.machine)?;
        let memory = self.memory.value.map_or_else(|| "–".to_owned(), |bytes| si(bytes, "B"));
        writeln!(f, "memory     {memory}: {}", self.memory.from)?;
        let bandwidth = self.bandwidth.value.map_or_else(|| "–".to_owned(), |rate| si(rate, "B/s"));
        writeln!(f, "bandwidth  {bandwidth}: {}", self.bandwidth.from)?;
        for (of, known) in &self.peaks {
            writeln!(
                f,
                "peak       {}, {of}: {}",
                known.value.map_or_else(|| "–".to_owned(), |rate| si(rate, "OP/s")),
                known.from
            )?;
        }
        for other in &self.others {
            writeln!(f, "also       {other}")?;
        }
        Ok(())
    }
}
