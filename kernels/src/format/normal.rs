//! Near-normal numbers from integers: quantiles and sums of uniform integers (Irwin–Hall), no libm anywhere.

use super::{e2m1, e4m3};

/// Standard deviation of the sum in [`from_bits`]: √(4 (2³² − 1) / 12).
const SUM_STD: f32 = 37_837.227;

/// A near-normal f32 with deviation `std` from one random number: the sum of its four 16-bit parts, an exact integer,
/// times one constant. |x| ≤ 3.47 std.
pub(super) const fn from_bits(r: u64, std_over_sum: f32) -> f32 {
    let sum = (r & 0xffff) + ((r >> 16) & 0xffff) + ((r >> 32) & 0xffff) + (r >> 48);
    (sum as i32 - 2 * 65535) as f32 * std_over_sum
}

/// What [`from_bits`] takes for a wanted deviation.
pub(super) const fn std_over_sum(std: f32) -> f32 {
    std / SUM_STD
}

const PARTS: usize = 8;
const SIDES: usize = 64;
const SUMS: usize = PARTS * (SIDES - 1) + 1;

/// Standard deviation of [`QUANTILES`]' entries' parent: 2 √(8 (64² − 1) / 12).
const QUANTILE_STD: f32 = 104.5;

/// Twice the deviation from the mean, at the middles of 256 equal shares of probability, of a sum of eight uniform
/// integers 0–63: a random byte becomes a near-normal number by one look-up. Entry 255 − i is minus entry i.
const QUANTILES: [i32; 256] = {
    let mut count = [0_u64; SUMS];
    count[0] = 1;
    let mut part = 0;
    while part < PARTS {
        let (mut next, mut window, mut s) = ([0; SUMS], 0, 0);
        while s < SUMS {
            window += count[s];
            if s >= SIDES {
                window -= count[s - SIDES];
            }
            next[s] = window;
            s += 1;
        }
        count = next;
        part += 1;
    }
    let total = 1_u64 << 48;
    let mut table = [0; 256];
    let (mut s, mut below, mut i) = (0, count[0], 0);
    while i < 128 {
        while below < (2 * i as u64 + 1) * (total / 512) {
            s += 1;
            below += count[s];
        }
        table[i] = 2 * s as i32 - (SUMS as i32 - 1);
        table[255 - i] = -table[i];
        i += 1;
    }
    table
};

/// A random byte to the E2M1 code of a near-normal number with deviation `std`.
pub(super) const fn e2m1_codes(std: f32) -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = e2m1::encode(QUANTILES[i] as f32 * (std / QUANTILE_STD));
        i += 1;
    }
    table
}

/// A random byte to the E4M3 code of a near-normal number with deviation `std`.
pub(super) const fn e4m3_codes(std: f32) -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = e4m3::encode(QUANTILES[i] as f32 * (std / QUANTILE_STD));
        i += 1;
    }
    table
}

/// A random byte to the nearest integer plus 8, kept in 0 ..= 15: the codes of Q4_0.
pub(super) const fn shifted(std: f32) -> [u8; 256] {
    let (from, mut table, mut i) = (integers(std, -8, 7), [0; 256], 0);
    while i < 256 {
        table[i] = (from[i] + 8) as u8;
        i += 1;
    }
    table
}

/// A random byte to the nearest integer of a near-normal number with deviation `std`, kept in `least ..= most`.
pub(super) const fn integers(std: f32, least: i8, most: i8) -> [i8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let y = QUANTILES[i] as f32 * (std / QUANTILE_STD);
        let nearest = (if y < 0.0 { y - 0.5 } else { y + 0.5 }) as i32;
        table[i] = if nearest < least as i32 {
            least
        } else if nearest > most as i32 {
            most
        } else {
            nearest as i8
        };
        i += 1;
    }
    table
}
