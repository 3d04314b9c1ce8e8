//! The calls of Windows' Energy Meter Interface: which meters there are, and one question to one of them.
#![expect(unsafe_code, reason = "calls into Windows by its C interface")]

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::ptr;

use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
    CM_GET_DEVICE_INTERFACE_LIST_PRESENT, CM_Get_Device_Interface_List_SizeW, CM_Get_Device_Interface_ListW,
    CR_BUFFER_SMALL, CR_SUCCESS,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Power::{
    GUID_DEVICE_ENERGY_METER, IOCTL_EMI_GET_MEASUREMENT, IOCTL_EMI_GET_METADATA, IOCTL_EMI_GET_METADATA_SIZE,
    IOCTL_EMI_GET_VERSION,
};

use super::emi::{Device, Found, Question};
use super::emi_told::names;

/// Meters may come while they are listed: so often is the list asked for again.
const TRIES: usize = 4;
/// Sixteen-bit units; no list of meters is longer.
const LONGEST: u32 = 1 << 20;

struct Meter(File);

impl Device for Meter {
    fn ask(&self, question: Question, room: usize) -> Result<Vec<u8>, String> {
        let code = match question {
            Question::Version => IOCTL_EMI_GET_VERSION,
            Question::MetadataSize => IOCTL_EMI_GET_METADATA_SIZE,
            Question::Metadata => IOCTL_EMI_GET_METADATA,
            Question::Measurement => IOCTL_EMI_GET_MEASUREMENT,
        };
        let mut answer = vec![0u8; room];
        let length = u32::try_from(room).map_err(|_| format!("{room} bytes are too many to ask for"))?;
        let mut told = 0;
        // SAFETY: the handle is open as long as the file is; nothing is sent; `length` bytes of `answer` are writable, and the system
        // copies an answer of this kind (METHOD_BUFFERED) no further than that; without an overlapped structure, on a file opened for
        // synchronous use, the call ends before it returns, so that nothing writes later.
        let fine = unsafe {
            DeviceIoControl(
                self.0.as_raw_handle(),
                code,
                ptr::null(),
                0,
                answer.as_mut_ptr().cast(),
                length,
                &raw mut told,
                ptr::null_mut(),
            )
        };
        if fine == 0 {
            return Err(io::Error::last_os_error().to_string());
        }
        answer.truncate(told as usize);
        Ok(answer)
    }
}

/// Every meter that is there, opened, or why it is not.
///
/// # Errors
/// Why Windows lists none.
pub(super) fn find() -> Result<Vec<Found>, String> {
    let open = |path: String| {
        // What is asked needs the right to read; others may have it open.
        let device = File::open(&path).map(|file| Box::new(Meter(file)) as Box<dyn Device>);
        Found { device: device.map_err(|e| e.to_string()), path }
    };
    Ok(paths()?.into_iter().map(open).collect())
}

fn paths() -> Result<Vec<String>, String> {
    let meters = GUID_DEVICE_ENERGY_METER;
    for _ in 0..TRIES {
        let mut length = 0;
        // SAFETY: the number and the identifier are valid for the call; without the name of a device, those of all are meant.
        let code = unsafe {
            CM_Get_Device_Interface_List_SizeW(
                &raw mut length,
                &raw const meters,
                ptr::null(),
                CM_GET_DEVICE_INTERFACE_LIST_PRESENT,
            )
        };
        if code != CR_SUCCESS {
            return Err(format!("Windows does not say how many meters there are (configuration manager error {code})"));
        }
        let mut list = vec![0u16; length.min(LONGEST) as usize];
        // SAFETY: as above; as many units of `list` are writable as are announced.
        let code = unsafe {
            CM_Get_Device_Interface_ListW(
                &raw const meters,
                ptr::null(),
                list.as_mut_ptr(),
                length.min(LONGEST),
                CM_GET_DEVICE_INTERFACE_LIST_PRESENT,
            )
        };
        match code {
            CR_SUCCESS => return Ok(names(&list)),
            CR_BUFFER_SMALL => {}
            code => return Err(format!("Windows does not list its meters (configuration manager error {code})")),
        }
    }
    Err("the list of meters changes while it is read".to_owned())
}
