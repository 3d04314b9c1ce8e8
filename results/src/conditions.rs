//! The machine's state while something was measured.

use crate::machine::PowerSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine's state beside a measurement. What could not be had is an `Unavailable` with its reason, or absent, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Conditions {
    /// Energy over the window.
    pub energy: Energy,
    /// The core clock, measured by work between samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub core_clocks: Vec<CoreClock>,
    /// Whether the device was held back by heat or power, and how that is known.
    pub throttling: Throttling,
    /// The machine's state before the task.
    pub before: State,
    /// The machine's state after it.
    pub after: State,
    /// The machine's state while it ran: clocks and temperatures over all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<State>,
    /// The memory under the operands.
    pub pages: Option<PageUse>,
}

/// Energy over the window of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Energy {
    /// At least one sensor spoke.
    Measured {
        /// Every scope that spoke.
        readings: Vec<EnergyReading>,
        /// Every scope whose numbers are not valid for this window, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        invalid: Vec<InvalidEnergy>,
        /// From when to when, in nanoseconds since the run's start: the samples, without preparing and warming up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window_ns: Option<[u64; 2]>,
    },
    /// None did.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// Energy in one scope.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnergyReading {
    /// What it covers: `gpu`, `module`, `soc_pkg`, `cpu`, `sys_total`, `wall`.
    pub scope: String,
    /// Where it comes from.
    pub source: String,
    /// Joules over the window.
    pub joules: f64,
    /// Average watts over the window.
    pub watts: f64,
    /// Uncertainty of both, as a share: what lies between two updates of the sensor, and what it sleeps through. Its
    /// calibration is not in it: that error is the same in every run.
    pub plus_minus: f64,
    /// Share of the window that the sensor saw.
    pub coverage: f64,
    /// Whether the scope contains the device that did the work; tokens per joule are formed from no other.
    pub covers_device: bool,
    /// How the joules were got, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Milliseconds between two updates of the sensor, as its readings show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_ms: Option<f64>,
    /// The highest power read within the window, in watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_watts: Option<f64>,
    /// The counter's joules over the integral of the power that the same sensor states, where it states both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_check: Option<f64>,
    /// The same without what the machine takes when it does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<NetEnergy>,
    /// Whether a test double stood in for the sensor: then this is no measurement, and no efficiency is formed from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

/// How joules were got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The difference of an energy counter.
    Counter,
    /// The integral of power over time, by trapezoids.
    Integral,
}

/// Energy above what the machine took before it was given any work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NetEnergy {
    /// Joules over the window.
    pub joules: f64,
    /// Their uncertainty, as a share; it holds how much the idle power wandered.
    pub plus_minus: f64,
    /// Watts at idle, which were subtracted.
    pub idle_watts: f64,
}

/// A scope that spoke, and why no energy of it is stated for this window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvalidEnergy {
    /// What it covers.
    pub scope: String,
    /// Where its numbers come from.
    pub source: String,
    /// Why they are not valid.
    pub reason: String,
}

/// The core clock at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoreClock {
    /// When, in nanoseconds since the run's start.
    pub at_ns: u64,
    /// Hz, one value a worker.
    pub hz: Vec<f64>,
}

/// Whether the device was held back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Throttling {
    /// A source says so or says not.
    Known {
        /// Whether it was.
        throttled: bool,
        /// Who says it.
        source: String,
    },
    /// Nobody tells.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// The machine at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct State {
    /// Share of all CPUs that was busy with other work over the last moments, 0 … 1.
    pub load: Option<f64>,
    /// Share of time the hypervisor gave to others, 0 … 1.
    pub steal: Option<f64>,
    /// Bytes of memory that could still be had.
    pub available_bytes: Option<u64>,
    /// The hottest sensor of the processor, in °C.
    pub temperature_c: Option<f64>,
    /// Every place whose temperature is known, at its hottest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<Zone>,
    /// Every clock that is told, with the band it moved in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<Band>,
    /// What the sensors say of being held back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<HeldBack>,
    /// What feeds the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_source: Option<PowerSource>,
    /// The kernel's name for the time since it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
}

/// A place and its temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Its temperature, in degrees Celsius.
    pub celsius: f64,
}

/// A clock over some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Band {
    /// Whose clock, as in telemetry: `gpu 0`, `cpu 0-3`.
    pub scope: String,
    /// The lowest reading, in Hz.
    pub low_hz: f64,
    /// The median of the readings.
    pub median_hz: f64,
    /// The highest.
    pub high_hz: f64,
}

/// What one sensor says of being held back: reasons in force as bits, or a counter that only grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeldBack {
    /// Of what: `cpu`, `gpu 0`.
    pub scope: String,
    /// Which number: `throttle_reasons`, or a counter such as `throttle_events`.
    pub quantity: String,
    /// The bits that were seen, together; or how far the counter had come.
    pub value: f64,
}

/// The memory under the operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PageUse {
    /// Bytes of operands.
    pub bytes: u64,
    /// Bytes of them on huge pages; absent where the system does not tell.
    pub huge: Option<u64>,
}
