//! A pointer whose origin the compiler does not know.
#![expect(unsafe_code, reason = "only inline assembly hides a pointer without storing it")]

/// The same pointer, with its origin and what it points to hidden from the compiler, so that a repeated pass stays a pass.
/// Unlike `std::hint::black_box` it costs no store and no load: a pass over 16 KiB takes about 130 cycles.
#[inline(always)]
pub(crate) fn opaque<T>(mut pointer: *mut T) -> *mut T {
    // SAFETY: no instruction at all; the pointer comes back as it went in.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) pointer, options(nostack, preserves_flags)) };
    pointer
}
