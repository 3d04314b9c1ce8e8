//! What the safe NVML wrapper leaves out: powers of a scope beyond the GPU, the margin, modes, memory by the first call.
#![expect(unsafe_code, reason = "calls into NVIDIA's library by its C interface")]

use std::mem;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use nvml_wrapper_sys::bindings as sys;

/// The scope of a power that is the whole module's: processor, GPU and memory.
pub(super) const MODULE: u32 = sys::NVML_POWER_SCOPE_MODULE;

/// Drivers from 580.82 on moved some field ids (CUDA 13.0 update 1). The wrapper knows that; what is asked here has to know it too.
fn moved(driver: &str) -> bool {
    let mut numbers = driver.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (580, 82)
}

/// The number by which `driver` knows the field that was `id` up to CUDA 12.
fn field_id(id: u32, driver: &str) -> u32 {
    match id {
        251..=255 if moved(driver) => id + 18,
        256..=273 if moved(driver) => id - 5,
        _ => id,
    }
}

/// Whether the library is this project's test double, whose numbers are made up.
pub(super) fn is_double(nvml: &Nvml) -> bool {
    let library = &nvml.lib().__library;
    // SAFETY: the symbol is only looked for and never called or read, so that its type does not matter.
    unsafe { library.get::<*const ()>(b"spark_bench_test_double\0") }.is_ok()
}

/// A field of `device` in a scope: the module's power, or the number of a link.
///
/// # Errors
/// As the library says.
pub(super) fn field(nvml: &Nvml, driver: &str, device: &Device<'_>, id: u32, scope: u32) -> Result<f64, NvmlError> {
    let call = nvml.lib().nvmlDeviceGetFieldValues.as_ref().map_err(|_| absent("nvmlDeviceGetFieldValues"))?;
    // SAFETY: the struct is integers and a union of numbers, for all of which zero bytes are a value.
    let mut value: sys::nvmlFieldValue_t = unsafe { mem::zeroed() };
    value.fieldId = field_id(id, driver);
    value.scopeId = scope;
    // SAFETY: the handle is used while the device borrows the library, which keeps it valid.
    let handle = unsafe { device.handle() };
    // SAFETY: the signature is the header's; one value is announced and one is there, writable until the call returns.
    check(unsafe { call(handle, 1, &raw mut value) })?;
    check(value.nvmlReturn)?;
    number(value.valueType, value.value)
}

fn number(kind: sys::nvmlValueType_t, value: sys::nvmlValue_t) -> Result<f64, NvmlError> {
    Ok(match kind {
        // SAFETY: the library says that the union holds this kind; it was zeroed, so that every byte of it is set.
        sys::nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE => unsafe { value.dVal },
        // SAFETY: as above.
        sys::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT => f64::from(unsafe { value.uiVal }),
        // SAFETY: as above.
        sys::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG => (unsafe { value.ulVal }) as f64,
        // SAFETY: as above.
        sys::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG => (unsafe { value.ullVal }) as f64,
        // SAFETY: as above.
        sys::nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_LONG_LONG => (unsafe { value.sllVal }) as f64,
        // SAFETY: as above.
        sys::nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT => f64::from(unsafe { value.siVal }),
        // SAFETY: as above.
        sys::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_SHORT => f64::from(unsafe { value.usVal }),
        other => return Err(NvmlError::UnexpectedVariant(other)),
    })
}

/// Kelvin left until the GPU slows itself down.
///
/// # Errors
/// As the library says.
pub(super) fn margin(nvml: &Nvml, device: &Device<'_>) -> Result<f64, NvmlError> {
    let call =
        nvml.lib().nvmlDeviceGetMarginTemperature.as_ref().map_err(|_| absent("nvmlDeviceGetMarginTemperature"))?;
    let version = version::<sys::nvmlMarginTemperature_t>(1);
    let mut margin = sys::nvmlMarginTemperature_t { version, marginTemperature: 0 };
    // SAFETY: the handle is used while the device borrows the library, which keeps it valid.
    let handle = unsafe { device.handle() };
    // SAFETY: the signature is the header's; the struct names its own version and size and is writable.
    check(unsafe { call(handle, &raw mut margin) })?;
    Ok(f64::from(margin.marginTemperature))
}

/// The bits of what holds the clock back, by the name that replaced `ThrottleReasons`.
///
/// # Errors
/// As the library says.
pub(super) fn event_reasons(nvml: &Nvml, device: &Device<'_>) -> Result<u64, NvmlError> {
    let call = &nvml.lib().nvmlDeviceGetCurrentClocksEventReasons;
    let call = call.as_ref().map_err(|_| absent("nvmlDeviceGetCurrentClocksEventReasons"))?;
    let mut bits = 0;
    // SAFETY: the handle is used while the device borrows the library, which keeps it valid.
    let handle = unsafe { device.handle() };
    // SAFETY: the signature is the header's; the integer is writable.
    check(unsafe { call(handle, &raw mut bits) })?;
    Ok(bits)
}

/// How the GPU reaches the processor's memory: `none`, `HMM` (by the driver) or `ATS` (by the hardware).
///
/// # Errors
/// As the library says.
pub(super) fn addressing_mode(nvml: &Nvml, device: &Device<'_>) -> Result<&'static str, NvmlError> {
    let call = nvml.lib().nvmlDeviceGetAddressingMode.as_ref().map_err(|_| absent("nvmlDeviceGetAddressingMode"))?;
    let mut mode = sys::nvmlDeviceAddressingMode_t { version: version::<sys::nvmlDeviceAddressingMode_t>(1), value: 0 };
    // SAFETY: the handle is used while the device borrows the library, which keeps it valid.
    let handle = unsafe { device.handle() };
    // SAFETY: the signature is the header's; the struct names its own version and size and is writable.
    check(unsafe { call(handle, &raw mut mode) })?;
    match mode.value {
        sys::nvmlDeviceAddressingModeType_t_NVML_DEVICE_ADDRESSING_MODE_NONE => Ok("none"),
        sys::nvmlDeviceAddressingModeType_t_NVML_DEVICE_ADDRESSING_MODE_HMM => Ok("HMM"),
        sys::nvmlDeviceAddressingModeType_t_NVML_DEVICE_ADDRESSING_MODE_ATS => Ok("ATS"),
        other => Err(NvmlError::UnexpectedVariant(other)),
    }
}

/// Whether the link between processor and GPU chips (NVLink-C2C) is in use.
///
/// # Errors
/// As the library says.
pub(super) fn c2c(nvml: &Nvml, device: &Device<'_>) -> Result<bool, NvmlError> {
    let call = nvml.lib().nvmlDeviceGetC2cModeInfoV.as_ref().map_err(|_| absent("nvmlDeviceGetC2cModeInfoV"))?;
    let mut mode = sys::nvmlC2cModeInfo_v1_t { isC2cEnabled: 0 };
    // SAFETY: the handle is used while the device borrows the library, which keeps it valid.
    let handle = unsafe { device.handle() };
    // SAFETY: the signature is the header's; the struct is writable.
    check(unsafe { call(handle, &raw mut mode) })?;
    Ok(mode.isC2cEnabled != 0)
}

/// Bytes of the GPU's memory by the call's first version, which answers where the second does not.
///
/// # Errors
/// As the library says.
pub(super) fn memory(nvml: &Nvml, device: &Device<'_>) -> Result<u64, NvmlError> {
    let call = nvml.lib().nvmlDeviceGetMemoryInfo.as_ref().map_err(|_| absent("nvmlDeviceGetMemoryInfo"))?;
    let mut memory = sys::nvmlMemory_t { total: 0, free: 0, used: 0 };
    // SAFETY: the handle is used while the device borrows the library, which keeps it valid.
    let handle = unsafe { device.handle() };
    // SAFETY: the signature is the header's; the struct is writable.
    check(unsafe { call(handle, &raw mut memory) })?;
    Ok(memory.total)
}

/// The header's way to name a struct's version: its size below, the number in the highest byte.
fn version<T>(number: u32) -> u32 {
    size_of::<T>() as u32 | number << 24
}

fn absent(symbol: &'static str) -> NvmlError {
    NvmlError::FailedToLoadSymbol(format!("this driver's library has no {symbol}"))
}

fn check(code: sys::nvmlReturn_t) -> Result<(), NvmlError> {
    nvml_wrapper::error::nvml_try(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_ids_move_with_the_driver() {
        // Thermal slowdown by software: 251 up to CUDA 12, 269 from driver 580.82 on.
        assert_eq!(
            [("550.54.14", 251), ("580.65.06", 251), ("580.82.07", 269), ("595.1", 269)].map(|(d, _)| field_id(251, d)),
            [251, 251, 269, 269]
        );
        assert_eq!((field_id(256, "590.10"), field_id(186, "590.10"), field_id(251, "nonsense")), (251, 186, 251));
    }
}
