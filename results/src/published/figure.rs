//! One figure that somebody else reported, with everything that is needed to believe or to doubt it.

use super::Point;
use serde::{Deserialize, Serialize};

/// What kind of machine a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A machine with the GB10, or announced with it.
    Spark,
    /// An Apple machine.
    Mac,
    /// A graphics card in some PC.
    DiscreteGpu,
    /// A processor with graphics in one package, or a module.
    Apu,
    /// A server's accelerator.
    Datacenter,
    /// A machine that this project measured itself.
    Own,
}

/// How a figure was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The source reports its own run.
    MeasuredBySource,
    /// The vendor's own page or repository says so.
    VendorSpec,
    /// A committed run of this program.
    MeasuredByThisProject,
    /// Seen in somebody else's transcription or quotation: to be held against the original before it is relied on.
    Secondary,
}

impl Confidence {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::MeasuredBySource => "measured by the source",
            Self::MeasuredByThisProject => "measured by this project",
            Self::VendorSpec => "the vendor's specification",
            Self::Secondary => "secondary: a transcription or quotation",
        }
    }
}

/// What a power covers. Powers of different scopes do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerScope {
    /// The whole machine, at the plug.
    Wall,
    /// The whole machine, by its own sensors.
    System,
    /// The package of processor and graphics.
    Package,
    /// The graphics processor alone, as its driver counts.
    Gpu,
    /// One supply rail.
    Rail,
    /// A limit that firmware sets; nothing was measured.
    Limit,
}

/// Which of the two files of a system a figure stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sheet {
    /// What a data sheet says.
    Spec,
    /// What somebody measured.
    Measured,
}

/// A figure somebody else reported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The system's short name, such as `dgx-spark`.
    pub system: &'static str,
    /// The system as people call it.
    pub name: &'static str,
    /// What kind of machine it is.
    pub kind: Kind,
    /// Data sheet or measurement.
    pub sheet: Sheet,
    /// The very machine, as the source names it.
    pub machine: &'static str,
    /// What was counted: `decode_tps`, `mem_bw_theoretical` …
    pub metric: &'static str,
    /// What was run, in the source's words; `spec` for a data sheet.
    pub workload: &'static str,
    /// The same, typed, where it is certain.
    pub work: Option<&'static Point>,
    /// The number, in `unit`.
    pub value: f64,
    /// Its unit, as the source has it.
    pub unit: &'static str,
    /// The spread that the source states beside it, in the same unit.
    pub plus_minus: Option<f64>,
    /// What a power covers.
    pub power_scope: Option<PowerScope>,
    /// The software and its build, as far as the source says.
    pub software: &'static str,
    /// The settings, as far as the source says.
    pub settings: &'static str,
    /// Who reported it.
    pub source: &'static str,
    /// Where exactly.
    pub reference: &'static str,
    /// The licence it is copied under, where the source has one for its data.
    pub licence: Option<&'static str>,
    /// When: a day, a month, a year, a range, or `unknown`.
    pub date: &'static str,
    /// How it was come by.
    pub confidence: Confidence,
    /// What a reader has to know beside it.
    pub note: &'static str,
}
