//! The core clock, measured: a chain of dependent additions retires one a cycle on every core this suite knows.
#![expect(unsafe_code, reason = "the chain is written in assembly, so that no compiler shortens it")]

use std::time::Instant;

/// Additions a measurement: about 30 µs at 4 GHz, short enough that a frequency licence does not change meanwhile.
const ADDS: u64 = 1 << 17;
const UNROLL: u64 = 64;

/// This core's clock in Hz right now, or `None` on an architecture the chain is not written for.
pub fn core_hz() -> Option<f64> {
    // Two runs: the first absorbs an interrupt or a cold instruction cache, the faster one is the clock.
    let best = (0..2).filter_map(|_| chain()).fold(0.0, f64::max);
    (best > 0.0).then_some(best)
}

fn chain() -> Option<f64> {
    let start = Instant::now();
    if !run_chain(ADDS / UNROLL) {
        return None;
    }
    let seconds = start.elapsed().as_secs_f64();
    (seconds > 0.0).then(|| ADDS as f64 / seconds)
}

#[cfg(target_arch = "x86_64")]
fn run_chain(rounds: u64) -> bool {
    // SAFETY: touches only its own registers. `add reg, reg` depends on its own result: an immediate could be folded at rename.
    unsafe {
        std::arch::asm!(
            "2:",
            ".rept 64",
            "add {x}, {one}",
            ".endr",
            "dec {rounds}",
            "jnz 2b",
            x = inout(reg) 0u64 => _,
            one = in(reg) 1u64,
            rounds = inout(reg) rounds => _,
            options(nomem, nostack),
        );
    }
    true
}

#[cfg(target_arch = "aarch64")]
fn run_chain(rounds: u64) -> bool {
    // SAFETY: touches only its own registers.
    unsafe {
        std::arch::asm!(
            "2:",
            ".rept 64",
            "add {x}, {x}, {one}",
            ".endr",
            "subs {rounds}, {rounds}, #1",
            "b.ne 2b",
            x = inout(reg) 0u64 => _,
            one = in(reg) 1u64,
            rounds = inout(reg) rounds => _,
            options(nomem, nostack),
        );
    }
    true
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn run_chain(_rounds: u64) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_is_a_plausible_frequency() {
        // Under an emulator it is far lower; it is never zero, negative or above any processor made.
        if let Some(hz) = super::core_hz() {
            assert!(hz > 1e6 && hz < 20e9, "{hz}");
        }
    }
}
