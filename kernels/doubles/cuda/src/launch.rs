//! Launches: what a GPU refuses is refused, and the rest is run block by block.
#![expect(unsafe_code, reason = "kernels are called, on stacks that are had from the system")]

use crate::code::{self, Code};
use crate::module::Function;
use crate::state::{double, lock};
use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// Three numbers of threads or blocks.
pub(crate) type Size = [u32; 3];

/// What a kernel's object is handed; its twin is in the compiler's double.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Launch {
    grid: Size,
    block: Size,
    shared_bytes: u32,
    stack_bytes: u32,
    parameters: *const *mut c_void,
    stacks: *mut u8,
    message: *mut c_char,
    message_room: usize,
}

/// Bytes of a thread's stack; a GPU's threads have less.
const STACK: usize = 256 << 10;
/// Threads of a block at most.
const THREADS: usize = 1024;

/// The stacks, of which only what is touched takes memory.
fn stacks() -> *mut u8 {
    static STACKS: OnceLock<usize> = OnceLock::new();
    let layout = std::alloc::Layout::from_size_align(STACK * THREADS, 4096);
    // SAFETY: the size is above 0; fresh pages of this size come from the system untouched.
    let at = *STACKS.get_or_init(|| layout.map_or(0, |layout| unsafe { std::alloc::alloc(layout) } as usize));
    at as *mut u8
}

/// Whether a launch of this shape can be. Errors: as a driver says it.
pub(crate) fn check(function: &Function, grid: Size, block: Size, shared_bytes: u32) -> Result<(), Code> {
    let threads = block.iter().fold(1_u64, |n, x| n.saturating_mul(u64::from(*x)));
    let empty = grid.iter().chain(&block).any(|n| *n == 0);
    if empty || block[2] > 64 || grid[1] > 65_535 || grid[2] > 65_535 || grid[0] > i32::MAX as u32 || threads > 1024 {
        return Err(code::INVALID_VALUE);
    }
    if shared_bytes > function.max_dynamic.load(Ordering::Relaxed) {
        return Err(code::INVALID_VALUE);
    }
    if threads > u64::from(function.max_threads) {
        return Err(code::LAUNCH_OUT_OF_RESOURCES);
    }
    Ok(())
}

/// Runs a grid. What goes wrong in it breaks the context, which whoever waits learns.
///
/// # Safety
/// Each of the pointers points to an argument of the function, in order.
pub(crate) unsafe fn run(function: &Function, grid: Size, block: Size, shared_bytes: u32, parameters: &[*mut c_void]) {
    let double = double();
    if double.alive().is_err() || double.count_launch().is_err() || double.alive().is_err() {
        return;
    }
    let _one_at_a_time = lock(&double.running);
    let mut message = [0_u8; 320];
    let launch = Launch {
        grid,
        block,
        shared_bytes,
        stack_bytes: STACK as u32,
        parameters: parameters.as_ptr(),
        stacks: stacks(),
        message: message.as_mut_ptr().cast(),
        message_room: message.len(),
    };
    // SAFETY: the object's own entry; what it is handed outlives the call, and the arguments are the caller's word.
    let code = unsafe { (function.run)(&raw const launch) };
    if code != code::SUCCESS {
        let why = CStr::from_bytes_until_nul(&message).map(CStr::to_string_lossy).unwrap_or_default();
        double.break_with(code, &format!("{}: {why}", function.name));
    } else if !lock(&double.memory).whole() {
        double.break_with(code::ILLEGAL_ADDRESS, &format!("{}: wrote behind the end of its memory", function.name));
    }
}
