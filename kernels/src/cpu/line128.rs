//! A cache line in four 128-bit registers, loaded and stored in pairs, with and without the hint that it is not needed again.
#![expect(unsafe_code, reason = "vectors are loaded and stored through pointers; non-temporal pairs have no intrinsic")]

use std::arch::aarch64::*;
use std::arch::asm;

/// 64 bytes.
pub(crate) type Line = [uint32x4_t; 4];

/// The line at `from`.
///
/// # Safety
/// 64 bytes at `from` may be read.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) unsafe fn load(from: *const u32) -> Line {
    let quarter = |i: usize| {
        // SAFETY: 16 of the 64 bytes, for i < 4.
        unsafe { vld1q_u32(from.wrapping_add(4 * i)) }
    };
    [quarter(0), quarter(1), quarter(2), quarter(3)]
}

/// Stores `line` at `to`; with `NT` by `stnp`, which lets a core that heeds the hint keep the line out of its caches.
///
/// # Safety
/// 64 bytes at `to` may be written.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) unsafe fn store<const NT: bool>(to: *mut u32, line: Line) {
    if NT {
        // SAFETY: writes 64 bytes at `to`. Unlike those of x86, these stores are ordered by the same barriers as any other.
        unsafe {
            asm!(
                "stnp {0:q}, {1:q}, [{to}]",
                "stnp {2:q}, {3:q}, [{to}, #32]",
                in(vreg) line[0], in(vreg) line[1], in(vreg) line[2], in(vreg) line[3], to = in(reg) to,
                options(nostack, preserves_flags)
            );
        }
        return;
    }
    for (i, quarter) in line.into_iter().enumerate() {
        // SAFETY: 16 of the 64 bytes: i < 4.
        unsafe { vst1q_u32(to.wrapping_add(4 * i), quarter) }
    }
}
