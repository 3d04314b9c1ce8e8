//! The calls by which the library is known, as its header declares them.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(
    missing_docs,
    clippy::missing_safety_doc,
    reason = "NVIDIA's header says what each call does and what it may be handed"
)]

use std::ffi::{c_char, c_int, c_uint, c_ulonglong};

use nvml_wrapper_sys::bindings::{field_id as id, *};

use crate::curve::REST_OF_MODULE_W;
use crate::fault::Fault;
use crate::state::{Double, double};

const OK: nvmlReturn_t = nvmlReturn_enum_NVML_SUCCESS;
const INVALID: nvmlReturn_t = nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT;
const NOT_SUPPORTED: nvmlReturn_t = nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED;
const NO_ROOM: nvmlReturn_t = nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE;
const NO_FUNCTION: nvmlReturn_t = nvmlReturn_enum_NVML_ERROR_FUNCTION_NOT_FOUND;
const LOST: nvmlReturn_t = nvmlReturn_enum_NVML_ERROR_GPU_IS_LOST;

/// The mark by which a program knows that nothing here is a measurement.
#[unsafe(no_mangle)]
pub extern "C" fn spark_bench_test_double() -> c_int {
    1
}

/// Writes what a GPU says, unless it is lost, mute, or does not know.
///
/// # Safety
/// `at` is writable.
unsafe fn say<T>(at: *mut T, value: impl FnOnce(&Double) -> Option<T>) -> nvmlReturn_t {
    let double = double();
    if !double.alive() {
        return LOST;
    }
    match value(double).filter(|_| !double.profile.mute) {
        Some(value) => {
            // SAFETY: the caller says so.
            unsafe { at.write(value) };
            OK
        }
        None => NOT_SUPPORTED,
    }
}

/// Writes a text with its end.
///
/// # Safety
/// `at` has room for `room` bytes.
unsafe fn text(text: &str, at: *mut c_char, room: c_uint) -> nvmlReturn_t {
    if text.len() >= room as usize {
        return NO_ROOM;
    }
    // SAFETY: the text and the end after it fit, as was just compared; a text of this crate overlaps no buffer of a caller.
    unsafe { at.copy_from_nonoverlapping(text.as_ptr().cast(), text.len()) };
    // SAFETY: the byte after the text lies within the room too.
    let end = unsafe { at.add(text.len()) };
    // SAFETY: as above.
    unsafe { end.write(0) };
    OK
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> nvmlReturn_t {
    let _ = double();
    OK
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> nvmlReturn_t {
    nvmlInit_v2()
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> nvmlReturn_t {
    OK
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(_code: nvmlReturn_t) -> *const c_char {
    c"an error of the double".as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(version: *mut c_char, room: c_uint) -> nvmlReturn_t {
    // SAFETY: the caller says how much room there is.
    unsafe { text(double().profile.driver, version, room) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable integer.
    unsafe { count.write(1) };
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, device: *mut nvmlDevice_t) -> nvmlReturn_t {
    if index > 0 {
        return INVALID;
    }
    if !double().alive() {
        return LOST;
    }
    // SAFETY: the header's contract: a writable handle. It is never followed, only handed back.
    unsafe { device.write(std::ptr::dangling_mut()) };
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetName(_device: nvmlDevice_t, name: *mut c_char, room: c_uint) -> nvmlReturn_t {
    // SAFETY: the caller says how much room there is.
    unsafe { text(double().profile.name, name, room) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCudaComputeCapability(
    _device: nvmlDevice_t,
    major: *mut c_int,
    minor: *mut c_int,
) -> nvmlReturn_t {
    let (high, low) = double().profile.capability;
    // SAFETY: the header's contract: two writable integers.
    unsafe { major.write(high) };
    // SAFETY: as above.
    unsafe { minor.write(low) };
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPowerUsage(_device: nvmlDevice_t, mw: *mut c_uint) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(mw, |d| Some(1e3 * if d.profile.fields { d.watts() } else { d.mean() }).map(|w| w as c_uint)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTotalEnergyConsumption(
    _device: nvmlDevice_t,
    mj: *mut c_ulonglong,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(mj, Double::counter) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetEnforcedPowerLimit(_device: nvmlDevice_t, mw: *mut c_uint) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(mw, |d| d.profile.memory.map(|_| 350_000)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTemperature(
    _device: nvmlDevice_t,
    _sensor: nvmlTemperatureSensors_t,
    celsius: *mut c_uint,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(celsius, |d| Some(50 + (d.now() as c_uint / 2).min(20))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMarginTemperature(
    _device: nvmlDevice_t,
    margin: *mut nvmlMarginTemperature_t,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a struct whose version the caller has set.
    let version = unsafe { (*margin).version };
    // SAFETY: as above, and writable.
    unsafe { say(margin, |d| d.profile.fields.then_some(nvmlMarginTemperature_t { version, marginTemperature: 13 })) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetClockInfo(
    _device: nvmlDevice_t,
    kind: nvmlClockType_t,
    mhz: *mut c_uint,
) -> nvmlReturn_t {
    let memory = kind == nvmlClockType_enum_NVML_CLOCK_MEM;
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(mhz, |d| (!memory || d.profile.memory.is_some()).then_some(2418)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    _device: nvmlDevice_t,
    rates: *mut nvmlUtilization_t,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable struct.
    unsafe { say(rates, |_| Some(nvmlUtilization_t { gpu: 96, memory: 0 })) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCurrentClocksEventReasons(
    _device: nvmlDevice_t,
    bits: *mut c_ulonglong,
) -> nvmlReturn_t {
    if !double().profile.fields {
        return NO_FUNCTION;
    }
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(bits, |_| Some(0)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCurrentClocksThrottleReasons(
    _device: nvmlDevice_t,
    bits: *mut c_ulonglong,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(bits, |_| Some(4)) }
}

/// A field by its number under this driver, in a scope; `None` where it is not known.
fn field(d: &Double, number: u32, scope: u32) -> Option<u64> {
    let is = |id: u32| number == d.profile.field(id);
    let milli = |w: f64| (w * 1e3) as u64;
    match scope {
        _ if !d.profile.fields => None,
        0 if is(id::NVML_FI_DEV_POWER_INSTANT) => Some(milli(d.watts())),
        0 if is(id::NVML_FI_DEV_POWER_AVERAGE) => Some(milli(d.mean())),
        NVML_POWER_SCOPE_MODULE if d.profile.module && is(id::NVML_FI_DEV_POWER_INSTANT) => {
            Some(milli(d.watts() + REST_OF_MODULE_W))
        }
        0 if is(id::NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP) => Some(165_687_000),
        0 if is(id::NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN) => Some(d.throttled_ns()),
        0 if is(id::NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN) => Some(403_805_000),
        0 if is(id::NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN) => Some(0),
        0 if d.profile.module && is(id::NVML_FI_DEV_C2C_LINK_COUNT) => Some(2),
        0..=1 if d.profile.module && is(id::NVML_FI_DEV_C2C_LINK_GET_MAX_BW) => Some(44_712),
        // Numbers of another driver's version name something else there, which must not be taken for it.
        0 if (251..=273).contains(&number) => Some(u64::from(u32::MAX)),
        _ => None,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetFieldValues(
    _device: nvmlDevice_t,
    count: c_int,
    values: *mut nvmlFieldValue_t,
) -> nvmlReturn_t {
    let double = double();
    if !double.alive() {
        return LOST;
    }
    if double.profile.mute {
        return NOT_SUPPORTED;
    }
    for i in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the header's contract: `count` values stand there.
        let at = unsafe { values.add(i) };
        // SAFETY: it is writable, and not looked at by others meanwhile.
        let value = unsafe { &mut *at };
        match field(double, value.fieldId, value.scopeId) {
            Some(number) => {
                value.valueType = nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
                value.value.ullVal = number;
                value.nvmlReturn = OK;
            }
            None => value.nvmlReturn = NOT_SUPPORTED,
        }
    }
    OK
}

/// Bytes of memory: of its own, none, or the machine's.
fn total(d: &Double) -> Option<u64> {
    match d.profile.memory {
        _ if d.has(Fault::MemoryZero) => Some(0),
        _ if d.has(Fault::MemoryMachine) => machine_bytes(),
        own => own,
    }
}

fn machine_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo(_device: nvmlDevice_t, memory: *mut nvmlMemory_t) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable struct.
    unsafe { say(memory, |d| total(d).map(|total| nvmlMemory_t { total, free: total / 2, used: total / 2 })) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(
    _device: nvmlDevice_t,
    memory: *mut nvmlMemory_v2_t,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a struct whose version the caller has set.
    let version = unsafe { (*memory).version };
    let of = |total| nvmlMemory_v2_t { version, total, reserved: 0, free: total / 2, used: total / 2 };
    // SAFETY: as above, and writable.
    unsafe { say(memory, |d| total(d).map(of)) }
}

/// Generation and width, unless a placeholder is asked for.
fn bus(d: &Double) -> (u32, u32) {
    if d.has(Fault::Pcie) { (1, 1) } else { d.profile.pcie }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCurrPcieLinkGeneration(
    _device: nvmlDevice_t,
    generation: *mut c_uint,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(generation, |d| Some(bus(d).0)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCurrPcieLinkWidth(_device: nvmlDevice_t, width: *mut c_uint) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(width, |d| Some(bus(d).1)) }
}

/// One process, which is listed among those that compute and among those that draw.
///
/// # Safety
/// `count` is readable and writable; `infos` has room for as many as it says.
unsafe fn processes(count: *mut c_uint, infos: *mut nvmlProcessInfo_t) -> nvmlReturn_t {
    // SAFETY: the caller says so.
    let room = unsafe { count.read() };
    // SAFETY: the caller says so.
    let said = unsafe { say(count, |_| Some(1)) };
    if said != OK || room == 0 {
        return if said == OK { NO_ROOM } else { said };
    }
    let info = nvmlProcessInfo_t {
        pid: 4711,
        usedGpuMemory: 63_931 << 20,
        gpuInstanceId: u32::MAX,
        computeInstanceId: u32::MAX,
    };
    // SAFETY: there is room for one at least.
    unsafe { infos.write(info) };
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    _device: nvmlDevice_t,
    count: *mut c_uint,
    infos: *mut nvmlProcessInfo_t,
) -> nvmlReturn_t {
    // SAFETY: the header's contract is that of the function called.
    unsafe { processes(count, infos) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetGraphicsRunningProcesses_v3(
    _device: nvmlDevice_t,
    count: *mut c_uint,
    infos: *mut nvmlProcessInfo_t,
) -> nvmlReturn_t {
    // SAFETY: the header's contract is that of the function called.
    unsafe { processes(count, infos) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetAddressingMode(
    _device: nvmlDevice_t,
    mode: *mut nvmlDeviceAddressingMode_t,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a struct whose version the caller has set.
    let version = unsafe { (*mode).version };
    let ats = nvmlDeviceAddressingModeType_t_NVML_DEVICE_ADDRESSING_MODE_ATS;
    // SAFETY: as above, and writable.
    unsafe { say(mode, |d| d.profile.module.then_some(nvmlDeviceAddressingMode_t { version, value: ats })) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetC2cModeInfoV(
    _device: nvmlDevice_t,
    mode: *mut nvmlC2cModeInfo_v1_t,
) -> nvmlReturn_t {
    // SAFETY: the header's contract: a writable struct.
    unsafe { say(mode, |d| d.profile.module.then_some(nvmlC2cModeInfo_v1_t { isC2cEnabled: 1 })) }
}
