//! Temperatures, powers and energies of the kernel's hardware-monitoring chips: board sensors, processors, disks.
//!
//! Chips whose rails are known by name have sensors of their own beside this one and only their temperatures are read here.

use std::collections::BTreeSet;
use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::probe::{Probe, Probes};
use super::{OFTEN, Sensor, grace, ina, spbm};

pub(super) const FOLDER: &str = "/sys/class/hwmon";

/// A file's beginning and end, and what the integer in it is (the kernel's sysfs-interface: millidegrees, microwatts,
/// microjoules). A chip that has both `average` and `input` is read once, by the first that is there.
const FILES: &[(&str, &[&str], &str, &str, f64)] = &[
    ("temp", &["input"], "temperature", "degC", 1e-3),
    ("power", &["average", "input"], "power", "W", 1e-6),
    ("energy", &["input"], "energy", "J", 1e-6),
];

pub(super) struct Chips {
    root: SysRoot,
    probes: Probes,
    quick: bool,
}

/// A chip of the kernel's hardware monitoring.
pub(super) struct Chip {
    /// Its folder.
    pub(super) folder: String,
    /// What its driver calls it.
    pub(super) name: String,
}

/// A file of a chip with a number that is measured.
pub(super) struct Input<'c> {
    root: &'c SysRoot,
    pub(super) chip: &'c Chip,
    /// `power3`, of a file `power3_average`.
    what: String,
    /// The 3 of it.
    pub(super) n: u32,
    /// The folder that it lies in.
    pub(super) place: &'c str,
    file: String,
}

impl Input<'_> {
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.place, self.file)
    }
    /// What the chip calls it, else its name as a file.
    pub(super) fn label(&self) -> String {
        self.root.line(format!("{}/{}_label", self.place, self.what)).unwrap_or_else(|_| self.what.clone())
    }
    /// Milliseconds that the number is the mean of, where it is a mean and the chip says so; else `usual`.
    pub(super) fn averages(&self, usual: Option<f64>) -> Option<f64> {
        let said = || self.root.value::<u32>(format!("{}/{}_average_interval", self.place, self.what)).ok();
        let ms = || said().map(f64::from).filter(|ms| *ms > 0.0).or(usual);
        if self.file.ends_with("_average") { ms() } else { None }
    }
}

/// Every chip there is.
pub(super) fn chips(root: &SysRoot) -> Vec<Chip> {
    let one = |(_, chip): (u32, String)| {
        let folder = format!("{FOLDER}/{chip}");
        let name = root.line(format!("{folder}/name")).unwrap_or_else(|_| "unnamed".to_owned());
        Chip { folder, name }
    };
    root.numbered(FOLDER, "hwmon").into_iter().map(one).collect()
}

/// The one walk through all chips: `of` is asked for each file `PREFIXn_END` that a chip has. Of several `ends` of one number, in order,
/// the first counts.
pub(super) fn walk<T>(root: &SysRoot, prefix: &str, ends: &[&str], of: impl Fn(&Input) -> Option<T>) -> Vec<T> {
    chips(root).iter().flat_map(|chip| chip.inputs(root, prefix, ends, &of)).collect()
}

impl Chip {
    /// The same of one chip. Some drivers show their files in the folder of the device behind the chip; those in the chip's own come first.
    fn inputs<T>(&self, root: &SysRoot, prefix: &str, ends: &[&str], of: impl Fn(&Input) -> Option<T>) -> Vec<T> {
        let mut seen = BTreeSet::new();
        let places = [self.folder.clone(), format!("{}/device", self.folder)];
        let files = places.iter().flat_map(|place| {
            let input = move |(n, file)| Input { root, chip: self, what: format!("{prefix}{n}"), n, place, file };
            inputs(root, place, prefix, ends).into_iter().map(input)
        });
        files.filter(|input| seen.insert(input.n)).filter_map(|input| of(&input)).collect()
    }
}

/// The numbers n for which a folder holds `PREFIXn_END` with one of `ends`, with the first such end.
fn inputs(root: &SysRoot, folder: &str, prefix: &str, ends: &[&str]) -> Vec<(u32, String)> {
    let names = root.names(folder);
    let split = |n: &String| {
        let (number, end) = n.strip_prefix(prefix)?.split_once('_')?;
        ends.contains(&end).then_some(())?;
        number.parse().ok()
    };
    let mut numbers: Vec<u32> = names.iter().filter_map(split).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let file = |n: u32| ends.iter().map(|e| format!("{prefix}{n}_{e}")).find(|f| names.contains(f));
    numbers.into_iter().filter_map(|n| Some((n, file(n)?))).collect()
}

impl Chips {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Probes::default(), quick: false }
    }

    fn of_chip(&self, chip: &Chip) -> Vec<Probe> {
        let elsewhere = chip.name == spbm::CHIP || grace::is(&self.root, chip) || ina::is(chip);
        let files = FILES.iter().filter(|of| !elsewhere || of.2 == "temperature");
        let of = |&(prefix, ends, quantity, unit, scale): &'static (_, _, _, _, _)| {
            chip.inputs(&self.root, prefix, ends, move |input| {
                let label = input.label();
                // zenergy, the driver outside the kernel for AMD, counts each socket.
                let scope = match label.strip_prefix("Esocket") {
                    Some(socket) => format!("cpu {socket}"),
                    None => format!("{} {label}", chip.name),
                };
                Some(Probe {
                    quantity,
                    scope,
                    path: input.path(),
                    unit,
                    scale,
                    counts_to: (quantity == "energy").then_some(None),
                    averages_ms: input.averages(None),
                    ..Probe::default()
                })
            })
        };
        files.flat_map(of).collect()
    }
}

impl Sensor for Chips {
    fn name(&self) -> &'static str {
        "hwmon"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let chips = chips(&self.root);
        let probes: Vec<Probe> = chips.iter().flat_map(|chip| self.of_chip(chip)).collect();
        self.quick = probes.iter().any(|p| p.quantity != "temperature");
        if probes.is_empty() {
            let why = if chips.is_empty() {
                "no chip is listed (a virtual machine, or not Linux)"
            } else {
                "no chip has a temperature or a power"
            };
            return vec![Channel::refused(self.name(), None, Some(FOLDER), why)];
        }
        self.probes.ask(&self.root, "hwmon", self.period(), probes)
    }

    fn read(&mut self) -> Vec<Reading> {
        self.probes.read(&self.root)
    }

    fn period(&self) -> Duration {
        if self.quick { 4 * OFTEN } else { Duration::from_millis(500) }
    }

    fn trouble(&mut self) -> Option<String> {
        self.probes.trouble()
    }
}
