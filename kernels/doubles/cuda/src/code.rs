//! What calls return: the driver's numbers for what can go wrong, each with its name and its sentence.
#![expect(missing_docs, reason = "the names are those of NVIDIA's header, less CUDA_ERROR_")]

use std::ffi::CStr;

/// A `CUresult`.
pub type Code = i32;

/// A constant for each, and the table of what they are called.
macro_rules! codes {
    ($($name:ident = $code:literal, $full:literal: $sentence:literal;)*) => {
        $(pub const $name: Code = $code;)*

        /// Name of the code and a sentence about it, each ending with 0.
        pub fn words(code: Code) -> (&'static CStr, &'static CStr) {
            match code {
                $($name => ($full, $sentence),)*
                _ => words(UNKNOWN),
            }
        }
    };
}

codes! {
    SUCCESS = 0, c"CUDA_SUCCESS": c"no error";
    INVALID_VALUE = 1, c"CUDA_ERROR_INVALID_VALUE": c"invalid argument";
    OUT_OF_MEMORY = 2, c"CUDA_ERROR_OUT_OF_MEMORY": c"out of memory";
    DEVICE_UNAVAILABLE = 46, c"CUDA_ERROR_DEVICE_UNAVAILABLE": c"CUDA-capable device(s) is/are busy or unavailable";
    NO_DEVICE = 100, c"CUDA_ERROR_NO_DEVICE": c"no CUDA-capable device is detected";
    INVALID_DEVICE = 101, c"CUDA_ERROR_INVALID_DEVICE": c"invalid device ordinal";
    INVALID_IMAGE = 200, c"CUDA_ERROR_INVALID_IMAGE": c"device kernel image is invalid";
    INVALID_CONTEXT = 201, c"CUDA_ERROR_INVALID_CONTEXT": c"invalid device context";
    NO_BINARY_FOR_GPU = 209, c"CUDA_ERROR_NO_BINARY_FOR_GPU": c"no kernel image is available for execution on the device";
    UNSUPPORTED_PTX_VERSION = 222, c"CUDA_ERROR_UNSUPPORTED_PTX_VERSION": c"the provided PTX was compiled with an unsupported toolchain";
    INVALID_HANDLE = 400, c"CUDA_ERROR_INVALID_HANDLE": c"invalid resource handle";
    NOT_FOUND = 500, c"CUDA_ERROR_NOT_FOUND": c"named symbol not found";
    NOT_READY = 600, c"CUDA_ERROR_NOT_READY": c"device not ready";
    ILLEGAL_ADDRESS = 700, c"CUDA_ERROR_ILLEGAL_ADDRESS": c"an illegal memory access was encountered";
    LAUNCH_OUT_OF_RESOURCES = 701, c"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES": c"too many resources requested for launch";
    PEER_ACCESS_ALREADY_ENABLED = 704, c"CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED": c"peer access is already enabled";
    ALREADY_REGISTERED = 712, c"CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED": c"part or all of the requested memory range is already mapped";
    NOT_REGISTERED = 713, c"CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED": c"pointer does not correspond to a registered memory region";
    LAUNCH_FAILED = 719, c"CUDA_ERROR_LAUNCH_FAILED": c"unspecified launch failure";
    PEER_ACCESS_UNSUPPORTED = 217, c"CUDA_ERROR_PEER_ACCESS_UNSUPPORTED": c"peer access is not supported between these two devices";
    NOT_SUPPORTED = 801, c"CUDA_ERROR_NOT_SUPPORTED": c"operation not supported";
    STREAM_CAPTURE_UNSUPPORTED = 900, c"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED": c"operation not permitted when stream is capturing";
    STREAM_CAPTURE_INVALIDATED = 901, c"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED": c"operation failed due to a previous error during capture";
    UNKNOWN = 999, c"CUDA_ERROR_UNKNOWN": c"unknown error";
}
