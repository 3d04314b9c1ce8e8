//! A published machine by its name: what its data sheets say of memory, bandwidth, arithmetic and price.

use super::{Figure, Sheet, all, files};
use crate::run::Manifest;
use std::collections::BTreeSet;

/// A number of a data sheet, and who says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// In base units: bytes, bytes a second, operations a second, dollars.
    pub value: f64,
    /// Which figure, whose, and when.
    pub by: String,
}

/// A machine that somebody published figures of.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The system's short name.
    pub system: &'static str,
    /// The machine, as its source names it.
    pub machine: &'static str,
    /// Memory that a model can use before any margin: what its system reports where that was published, else what is built in.
    pub memory: Option<Said>,
    /// Bytes a second of its memory, by the data sheet.
    pub bandwidth: Option<Said>,
    /// Dense operations a second by number type (`bf16`, `fp8`, `fp4`), by the data sheet.
    pub peaks: Vec<(&'static str, Said)>,
    /// What it costs in US dollars, by the latest figure.
    pub price: Option<Said>,
    /// Machines of the same system whose bandwidth is another.
    pub others: Vec<String>,
}

/// A name that is no published machine's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no figures of a machine '{name}' are published here; choose one of {}", .known.join(", "))]
pub struct UnknownMachine {
    /// The name.
    pub name: String,
    /// Those there are.
    pub known: Vec<String>,
}

/// Sizes of memory are in powers of two, whatever their names say.
const GIB: f64 = (1_u64 << 30) as f64;

fn words(text: &str) -> BTreeSet<String> {
    let split = |c: char| !(c.is_alphanumeric() || c == '.');
    text.to_lowercase().split(split).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The name without the size of memory in it, and that size in GiB: `128GB`, `128 GiB`.
fn sized(name: &str) -> (BTreeSet<String>, Option<f64>) {
    let mut words: Vec<String> = name.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let size =
        |text: &str| text.trim_end_matches("gib").trim_end_matches("gb").parse::<f64>().ok().filter(|gb| *gb > 0.0);
    for at in 0..words.len() {
        let (joined, apart) = (&words[at], words.get(at + 1).is_some_and(|unit| unit == "gb" || unit == "gib"));
        if (joined.ends_with("gb") || joined.ends_with("gib") || apart)
            && let Some(size) = size(joined)
        {
            words.drain(at..=at + usize::from(apart));
            return (self::words(&words.join(" ")), Some(size));
        }
    }
    (self::words(name), None)
}

fn said(figure: &Figure, scale: f64) -> Said {
    let mut by = format!(
        "{} {} {} of {}, {}, {}",
        figure.metric, figure.value, figure.unit, figure.machine, figure.source, figure.date
    );
    if figure.confidence == super::Confidence::Secondary {
        by += " (secondary)";
    }
    Said { value: figure.value * scale, by }
}

impl Named {
    /// The machine that `name` means, such as `DGX Spark` or `M4 Max 128GB`: every word stands in its name; a size of memory may be
    /// given that no data sheet lists. Errors: none has these words.
    pub fn find(name: &str) -> Result<Self, UnknownMachine> {
        let specs = || all().unwrap_or_default().iter().filter(|f| f.sheet == Sheet::Spec);
        let (wanted, gib) = sized(name);
        let fits = |f: &&Figure| {
            !wanted.is_empty()
                && wanted.is_subset(&words(&format!("{} {} {}", f.system.replace('-', " "), f.name, f.machine)))
        };
        let of_machine = |f: &Figure, metric: &str| specs().find(|g| g.machine == f.machine && g.metric == metric);
        // Of several machines the one of the size asked for, then one whose bandwidth is known.
        let best = specs().filter(fits).max_by_key(|f| {
            let capacity = of_machine(f, "mem_capacity").map(|c| c.value);
            let known = of_machine(f, "mem_bw_theoretical").is_some();
            (gib.is_some() && capacity == gib, known && capacity.is_some(), known)
        });
        let Some(best) = best else {
            let known: BTreeSet<_> = specs().map(|f| f.name.to_owned()).collect();
            return Err(UnknownMachine { name: crate::machine::clean(name), known: known.into_iter().collect() });
        };
        // max_by_key gives the last of equals; the file's order is the better one.
        let key = |f: &Figure| {
            (of_machine(f, "mem_capacity").map(|c| c.value), of_machine(f, "mem_bw_theoretical").is_some())
        };
        let best = specs().filter(fits).find(|f| key(f) == key(best)).unwrap_or(best);
        let own = |metric: &str| of_machine(best, metric);
        let system =
            |metric: &str| specs().filter(|f| f.system == best.system && f.metric == metric).collect::<Vec<_>>();
        let usable =
            all().unwrap_or_default().iter().find(|f| f.system == best.system && f.metric == "usable_memory_gib");
        let built_in = own("mem_capacity").map(|f| said(f, GIB));
        let memory = match gib {
            Some(gib) if own("mem_capacity").is_none_or(|f| f.value != gib) => {
                Some(Said { value: gib * GIB, by: format!("{gib} GiB, as the name says") })
            }
            _ => usable.map(|f| said(f, GIB)).or(built_in),
        };
        let peak = |name, metric| own(metric).map(|f| (name, said(f, 1e12)));
        let peaks = [
            peak("bf16", "peak_bf16_tflops_dense"),
            peak("fp8", "peak_fp8_tflops_dense"),
            peak("fp4", "peak_fp4_tflops_dense"),
        ];
        let prices = ["price_usd", "price_usd_from", "price_usd_launch"].into_iter().flat_map(system);
        let price =
            prices.filter(|f| f.date != "unknown").max_by(|a, b| a.date.cmp(b.date).then(b.value.total_cmp(&a.value)));
        let bandwidth = own("mem_bw_theoretical");
        let others =
            system("mem_bw_theoretical").into_iter().filter(|f| bandwidth.is_none_or(|own| own.value != f.value));
        Ok(Self {
            system: best.system,
            machine: best.machine,
            memory,
            bandwidth: bandwidth.map(|f| said(f, 1e9)),
            peaks: peaks.into_iter().flatten().collect(),
            price: price.map(|f| said(f, 1.0)),
            others: others.map(|f| format!("{}: {} {}", f.machine, f.value, f.unit)).collect(),
        })
    }
}

/// The published system that a machine is one of, by the names of its product, processor and devices; test doubles do not count.
pub fn system_of(manifest: &Manifest) -> Option<&'static str> {
    let machine = &manifest.machine;
    let product = machine.product.as_ref();
    let devices = manifest.devices.iter().filter(|d| !d.simulated && d.unavailable.is_none());
    let names = product.and_then(|p| p.name.as_deref()).into_iter().chain(machine.cpu.brand.as_deref());
    let names: Vec<String> = names
        .chain(devices.filter_map(|d| d.name.as_deref()))
        .map(|name| name.replace('_', " ").to_lowercase())
        .collect();
    let known = |word: &String| names.iter().any(|name| name.contains(&word.replace('_', " ").to_lowercase()));
    files().ok()?.iter().find(|file| file.recognised_by.iter().any(known)).map(|file| file.system.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(said: &Option<Said>) -> f64 {
        said.as_ref().unwrap().value
    }

    #[test]
    fn machines_are_found_by_their_words_and_their_memory() {
        let max = Named::find("M4 Max 128GB").unwrap();
        assert_eq!((value(&max.memory), value(&max.bandwidth)), (128.0 * GIB, 546e9));
        assert!(max.others.iter().any(|other| other.contains("410")), "{:?}", max.others);
        assert_eq!(value(&Named::find("m4 max 32-core").unwrap().bandwidth), 410e9);
        assert_eq!(value(&Named::find("M2 Ultra 192 GB").unwrap().memory), 192.0 * GIB);
        let spark = Named::find("DGX Spark").unwrap();
        // What its system reports, which is less than what is built in.
        assert_eq!((value(&spark.memory), value(&spark.bandwidth)), (121.63 * GIB, 273e9));
        assert!(spark.peaks.iter().any(|(of, peak)| *of == "fp4" && peak.value == 500e12));
        assert_eq!(Named::find("rtx 4090").unwrap().memory.unwrap().value, 24.0 * GIB);
        assert_eq!(Named::find("RTX Spark").unwrap().bandwidth, None);
        let unknown = Named::find("Cray-1").unwrap_err().to_string();
        assert!(
            unknown.contains("Cray-1") && unknown.contains("DGX Spark") && unknown.contains("M3 Ultra"),
            "{unknown}"
        );
        assert!(Named::find("").is_err() && Named::find("128GB").is_err());
    }
}
