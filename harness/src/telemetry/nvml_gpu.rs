//! What one GPU is asked through NVML: each quantity once at the start, and then those that answered.

use std::time::Duration;

use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id as id;
use nvml_wrapper::{Device, Nvml};
use spark_results::telemetry::{Channel, Reading};

use super::counter::Counter;
use super::nvml_sys as raw;
use super::{channel, reading};

/// Where a call is made: the library, the driver's version (which numbers fields), the GPU.
pub(super) struct At<'a> {
    pub(super) nvml: &'a Nvml,
    pub(super) driver: &'a str,
    pub(super) device: &'a Device<'a>,
}

/// One quantity: its name, its unit, the call's name, the call with the value in that unit.
struct Quantity {
    name: &'static str,
    unit: &'static str,
    call: &'static str,
    read: fn(&At<'_>) -> Result<f64, NvmlError>,
}

const fn quantity(
    name: &'static str,
    unit: &'static str,
    call: &'static str,
    read: fn(&At<'_>) -> Result<f64, NvmlError>,
) -> Quantity {
    Quantity { name, unit, call, read }
}

/// A field of the GPU itself; the wrapper translates its number for newer drivers.
fn field(at: &At<'_>, id: u32) -> Result<f64, NvmlError> {
    let values = at.device.field_values_for(&[FieldId(id)])?;
    match values.into_iter().next().ok_or(NvmlError::NotFound)??.value? {
        SampleValue::F64(v) => Ok(v),
        SampleValue::U32(v) => Ok(f64::from(v)),
        SampleValue::U64(v) => Ok(v as f64),
        SampleValue::I64(v) => Ok(v as f64),
    }
}

/// A counter of how long something held the clock back, in nanoseconds.
fn seconds(at: &At<'_>, id: u32) -> Result<f64, NvmlError> {
    Ok(field(at, id)? * 1e-9)
}

/// The power to integrate: the first of these that answers. `power_usage` is the mean of a second on most GPUs.
const POWERS: &[Quantity] = &[
    quantity("power", "W", "field POWER_INSTANT", |a| positive(field(a, id::NVML_FI_DEV_POWER_INSTANT)? * 1e-3)),
    quantity("power", "W", USAGE, |a| Ok(f64::from(a.device.power_usage()?) * 1e-3)),
];
const USAGE: &str = "power_usage";

/// The module's power, the same way.
const MODULE_POWERS: &[Quantity] = &[
    quantity("power", "W", "field POWER_INSTANT of the module", |a| module(a, id::NVML_FI_DEV_POWER_INSTANT)),
    quantity("power", "W", MODULE_AVERAGE, |a| module(a, id::NVML_FI_DEV_POWER_AVERAGE)),
];
const MODULE_AVERAGE: &str = "field POWER_AVERAGE of the module";

fn module(at: &At<'_>, id: u32) -> Result<f64, NvmlError> {
    positive(raw::field(at.nvml, at.driver, at.device, id, raw::MODULE)? * 1e-3)
}

/// No GPU that answers takes 0 W: that is the placeholder of a driver that does not know.
fn positive(watts: f64) -> Result<f64, NvmlError> {
    if watts > 0.0 { Ok(watts) } else { Err(NvmlError::NoData) }
}

const ENERGY: Quantity =
    quantity("energy", "J", "total_energy_consumption", |a| Ok(a.device.total_energy_consumption()? as f64));

/// Read a few times a second.
const SLOW: &[Quantity] = &[
    quantity("power_average", "W", "field POWER_AVERAGE", |a| {
        positive(field(a, id::NVML_FI_DEV_POWER_AVERAGE)? * 1e-3)
    }),
    quantity("power_limit", "W", "enforced_power_limit", |a| Ok(f64::from(a.device.enforced_power_limit()?) * 1e-3)),
    quantity("temperature", "degC", "temperature", |a| Ok(f64::from(a.device.temperature(TemperatureSensor::Gpu)?))),
    quantity("margin", "K", "margin_temperature", |a| raw::margin(a.nvml, a.device)),
    quantity("clock", "Hz", "clock_info sm", |a| Ok(f64::from(a.device.clock_info(Clock::SM)?) * 1e6)),
    quantity("memory_clock", "Hz", "clock_info memory", |a| Ok(f64::from(a.device.clock_info(Clock::Memory)?) * 1e6)),
    quantity("load", "1", "utilization_rates gpu", |a| Ok(f64::from(a.device.utilization_rates()?.gpu) / 100.0)),
    quantity("throttle_reasons", "bits", "clocks_event_reasons", |a| {
        // Drivers before 535 know it by its old name.
        raw::event_reasons(a.nvml, a.device).map(|bits| bits as f64).or_else(|e| match e {
            NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => Ok(a.device.current_throttle_reasons()?.bits() as f64),
            other => Err(other),
        })
    }),
    quantity("throttled by power", "s", "field 74", |a| seconds(a, id::NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP)),
    quantity("throttled by heat (software)", "s", "field SW_THERM_SLOWDOWN", |a| {
        seconds(a, id::NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN)
    }),
    quantity("throttled by heat (hardware)", "s", "field HW_THERM_SLOWDOWN", |a| {
        seconds(a, id::NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN)
    }),
    quantity("throttled by power brake", "s", "field HW_POWER_BRAKE_SLOWDOWN", |a| {
        seconds(a, id::NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN)
    }),
    quantity("process_memory", "B", "running_compute_processes", process_memory),
];

/// Bytes that processes hold on the GPU; one that computes and draws is listed twice and counted once.
fn process_memory(at: &At<'_>) -> Result<f64, NvmlError> {
    let mut held = std::collections::BTreeMap::new();
    let graphics = at.device.running_graphics_processes().unwrap_or_default();
    for process in at.device.running_compute_processes()?.into_iter().chain(graphics) {
        if let UsedGpuMemory::Used(bytes) = process.used_gpu_memory {
            held.entry(process.pid).and_modify(|most: &mut u64| *most = bytes.max(*most)).or_insert(bytes);
        }
    }
    Ok(held.values().sum::<u64>() as f64)
}

/// Readings between two of the slow ones.
const SLOW_EVERY: u32 = 5;

struct Answering {
    quantity: &'static Quantity,
    scope: String,
    source: String,
    counter: Option<Counter>,
    slow: bool,
}

/// One GPU with the quantities that answered.
pub(super) struct Gpu {
    number: u32,
    answering: Vec<Answering>,
    reads: u32,
    lost: Vec<&'static str>,
}

impl Gpu {
    /// Asks a GPU for everything; also the channels that say what came of it.
    pub(super) fn ask(number: u32, at: &At<'_>, period: Duration) -> (Self, Vec<Channel>) {
        let mut gpu = Self { number, answering: Vec::new(), reads: 0, lost: Vec::new() };
        let name = at.device.name().map_or_else(|e| format!("unnamed ({e})"), |n| spark_results::machine::clean(&n));
        let capability = at.device.cuda_compute_capability().ok().map(|c| (c.major, c.minor));
        // The power sensor of A100 and H100 looks at a quarter of the time (arXiv 2312.02741), and their counter adds what it saw.
        let duty = matches!(capability, Some((8, 0) | (9, 0))).then_some(0.25);
        // GA100 alone of the newer GPUs gives the power of the moment here (NVML's manual).
        let averages_ms = (capability != Some((8, 0))).then_some(1000.0);
        let own = format!("gpu {number}");
        // On GH200 the counter is the module's: processor, GPU and memory (ml-energy/zeus#172).
        let module = format!("module {number}");
        let counted = if name.contains("GH200") { &module } else { &own };
        let mut channels = Vec::new();
        let mut of = |list: &'static [Quantity], scope: &String, slow: bool, first: bool| {
            let mut refusals = Vec::new();
            for quantity in list {
                let source = format!("nvml {} of {name}", quantity.call);
                match (quantity.read)(at) {
                    Ok(value) => {
                        let energetic = matches!(quantity.name, "power" | "energy");
                        let averaged = matches!(quantity.call, USAGE | MODULE_AVERAGE);
                        channels.push(Channel {
                            averages_ms: averages_ms.filter(|_| averaged),
                            duty: duty.filter(|_| energetic),
                            ..channel(
                                "nvml",
                                quantity.name,
                                scope,
                                &source,
                                quantity.unit,
                                if slow { period * SLOW_EVERY } else { period },
                            )
                        });
                        let counter = (quantity.name == "energy").then(|| {
                            // Millijoules; a firmware that keeps them in 32 bits comes around.
                            let mut counter = Counter::up_to(Some(u64::from(u32::MAX)));
                            counter.take(value as u64);
                            counter
                        });
                        gpu.answering.push(Answering { quantity, scope: scope.clone(), source, counter, slow });
                        if first {
                            return;
                        }
                    }
                    Err(e) => {
                        let refused = Channel::refused("nvml", Some(quantity.name), Some(&source), e.to_string());
                        refusals.push(Channel { scope: Some(scope.clone()), ..refused });
                    }
                }
            }
            channels.extend(refusals);
        };
        of(POWERS, &own, false, true);
        of(MODULE_POWERS, &module, false, true);
        of(std::slice::from_ref(&ENERGY), counted, false, false);
        of(SLOW, &own, true, false);
        (gpu, channels)
    }

    /// The numbers of now, and why one was left out.
    pub(super) fn read(&mut self, at: &At<'_>) -> (Vec<Reading>, Option<String>) {
        let slow = self.reads.is_multiple_of(SLOW_EVERY);
        self.reads = self.reads.wrapping_add(1);
        let (mut readings, mut trouble) = (Vec::new(), None);
        for a in self.answering.iter_mut().filter(|a| slow || !a.slow) {
            match (a.quantity.read)(at) {
                Ok(mut value) => {
                    if let Some(counter) = &mut a.counter {
                        value = counter.take(value as u64) as f64 * 1e-3;
                        if counter.reset() {
                            trouble = Some(format!("{}: the counter was reset", a.source));
                        }
                    }
                    readings.push(reading(a.quantity.name, &a.scope, &a.source, value, a.quantity.unit));
                }
                Err(e) => {
                    // A GPU that is lost loses everything at once: its first loss tells.
                    if !self.lost.contains(&a.quantity.name) {
                        self.lost.push(a.quantity.name);
                        trouble = trouble.or_else(|| Some(format!("gpu {}: {e} ({})", self.number, a.quantity.call)));
                    }
                }
            }
        }
        (readings, trouble)
    }
}
