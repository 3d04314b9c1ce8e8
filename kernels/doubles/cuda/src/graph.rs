//! Operations of a stream, done at once or kept as the nodes of a graph.
#![expect(unsafe_code, reason = "device memory is read and written by address")]

use crate::code::{self, Code};
use crate::launch::{self, Size};
use crate::module::Function;
use crate::state::{double, lock};
use std::ffi::c_void;

/// Something a stream does.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// A launch, with its arguments' bytes.
    Launch { function: *const Function, grid: Size, block: Size, shared_bytes: u32, arguments: Vec<Vec<u64>> },
    /// A copy; whether its ends are the device's.
    Copy { to: usize, to_device: bool, from: usize, from_device: bool, bytes: usize },
    /// A pattern of 1, 2 or 4 bytes, so many times.
    Fill { at: usize, pattern: [u8; 4], width: usize, count: usize },
}

// SAFETY: functions are kept by their modules, which programs unload only after what uses them; addresses are numbers.
unsafe impl Send for Operation {}

impl Operation {
    /// Whether it can be done: the device's ends lie in its memory.
    pub(crate) fn check(&self) -> Result<(), Code> {
        let memory = lock(&double().memory);
        let fine = match self {
            Operation::Launch { function, grid, block, shared_bytes, .. } => {
                // SAFETY: a function that its module keeps.
                return launch::check(unsafe { &**function }, *grid, *block, *shared_bytes);
            }
            Operation::Copy { to, to_device, from, from_device, bytes } => {
                *bytes == 0
                    || (!to_device || memory.holds(*to, *bytes)) && (!from_device || memory.holds(*from, *bytes))
            }
            Operation::Fill { at, width, count, .. } => *count == 0 || memory.holds(*at, width * count),
        };
        if fine { Ok(()) } else { Err(code::INVALID_VALUE) }
    }

    /// Whether it waits for what the host does after it was submitted.
    pub(crate) fn waits_for_host(&self) -> bool {
        match self {
            // SAFETY: a function that its module keeps.
            Operation::Launch { function, .. } => unsafe { &**function }.with_host,
            _ => false,
        }
    }

    /// Whether it copies from or to memory of the host that the driver does not know.
    pub(crate) fn of_pageable(&self) -> bool {
        let Operation::Copy { to, from, bytes, .. } = self else { return false };
        let memory = lock(&double().memory);
        !memory.knows(*to, *bytes) || !memory.knows(*from, *bytes)
    }

    /// Does it.
    pub(crate) fn run(&self) {
        match self {
            Operation::Launch { function, grid, block, shared_bytes, arguments } => {
                let pointers: Vec<_> = arguments.iter().map(|a| a.as_ptr().cast_mut().cast::<c_void>()).collect();
                // SAFETY: a function that its module keeps.
                let function = unsafe { &**function };
                // SAFETY: the arguments were copied by the sizes that the function gives.
                unsafe { launch::run(function, *grid, *block, *shared_bytes, &pointers) };
            }
            Operation::Copy { to, from, bytes, .. } => {
                // SAFETY: `check` found the device's ends within its memory; the host's are the caller's word, as with a driver.
                unsafe { std::ptr::copy(*from as *const u8, *to as *mut u8, *bytes) };
            }
            Operation::Fill { at, pattern, width, count } => {
                // SAFETY: `check` found these bytes within the device's memory.
                let bytes = unsafe { std::slice::from_raw_parts_mut(*at as *mut u8, width * count) };
                bytes.chunks_exact_mut(*width).for_each(|chunk| chunk.copy_from_slice(&pattern[..*width]));
            }
        }
    }
}

/// Copies a launch's arguments, each rounded up to whole words.
///
/// # Safety
/// `parameters` points to a pointer to each argument of the function.
pub(crate) unsafe fn arguments(function: &Function, parameters: *const *mut c_void) -> Vec<Vec<u64>> {
    let copy = |(i, size): (usize, &usize)| {
        let mut words = vec![0_u64; size.div_ceil(8)];
        // SAFETY: as many pointers as the function has parameters.
        let at = unsafe { parameters.add(i) };
        // SAFETY: as above.
        let from = unsafe { at.read() };
        // SAFETY: it points to `size` bytes, for which the words have room.
        unsafe { words.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(from.cast(), *size) };
        words
    };
    function.sizes.iter().enumerate().map(copy).collect()
}
