//! What the driver says of a GPU.
#![expect(unsafe_code, reason = "attributes are asked of the driver by device handle")]

use super::driver::fault;
use super::sharing::Sharing;
use crate::Fault;
use cudarc::driver::{result, sys};

/// The facts of one GPU that kernels and people need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Marketing name.
    pub name: String,
    /// Compute capability, (major, minor).
    pub capability: (u8, u8),
    /// Streaming multiprocessors.
    pub sms: u32,
    /// Bytes of L2.
    pub l2_bytes: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Whether its memory is the host's: Spark, Jetson.
    pub integrated: bool,
    /// Bytes of shared memory that a block may ask for.
    pub shared_bytes: u32,
    /// Highest SM clock, in kHz; `None` where the driver does not tell.
    pub clock_khz: Option<u32>,
    /// Threads a block at most.
    pub threads: u32,
    /// Whether only one process may use it, or none: 0 default, 2 prohibited, 3 exclusive to a process.
    pub compute_mode: u32,
    /// How it shares memory with the host.
    pub sharing: Sharing,
    /// `0000000F:01:00.0`; `None` where the driver does not tell.
    pub pci: Option<String>,
}

impl Properties {
    /// Of the device of that ordinal. Errors: the driver's words.
    pub(crate) fn read(ordinal: i32) -> Result<Self, Fault> {
        use sys::CUdevice_attribute_enum as A;
        let device = result::device::get(ordinal).map_err(|e| fault("cuDeviceGet", e))?;
        let attribute = |of: A| {
            // SAFETY: the handle is valid for the life of the process.
            let value = unsafe { result::device::get_attribute(device, of) };
            value.map(|v| u32::try_from(v).unwrap_or(0)).map_err(|e| fault(&format!("cuDeviceGetAttribute {of:?}"), e))
        };
        // An attribute that an old driver does not know is of something that it has not.
        let has = |of| attribute(of).is_ok_and(|value| value != 0);
        let small = |of| attribute(of).map(|v| u8::try_from(v).unwrap_or(u8::MAX));
        // SAFETY: as above.
        let memory = unsafe { result::device::total_mem(device) }.map_err(|e| fault("cuDeviceTotalMem", e))?;
        let pci = [
            A::CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID,
            A::CU_DEVICE_ATTRIBUTE_PCI_BUS_ID,
            A::CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID,
        ]
        .map(attribute);
        Ok(Self {
            name: result::device::get_name(device).map_err(|e| fault("cuDeviceGetName", e))?,
            capability: (
                small(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                small(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            sms: attribute(A::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            l2_bytes: u64::from(attribute(A::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)?),
            memory_bytes: memory as u64,
            integrated: attribute(A::CU_DEVICE_ATTRIBUTE_INTEGRATED)? == 1,
            sharing: Sharing {
                integrated: has(A::CU_DEVICE_ATTRIBUTE_INTEGRATED),
                managed: has(A::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY),
                concurrent: has(A::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS),
                pageable: has(A::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS),
                host_tables: has(A::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES),
                register: has(A::CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED),
                native_atomics: has(A::CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED),
                direct_from_host: has(A::CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST),
                copy_engines: attribute(A::CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT).unwrap_or(0),
            },
            shared_bytes: attribute(A::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
            clock_khz: attribute(A::CU_DEVICE_ATTRIBUTE_CLOCK_RATE).ok().filter(|khz| *khz > 0),
            threads: attribute(A::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
            compute_mode: attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_MODE).unwrap_or(0),
            pci: match pci {
                [Ok(domain), Ok(bus), Ok(slot)] => Some(format!("{domain:08X}:{bus:02X}:{slot:02X}.0")),
                _ => None,
            },
        })
    }
}
