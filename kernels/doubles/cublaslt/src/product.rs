//! What is asked of a product, and how it is done.
#![expect(unsafe_code, reason = "operands are read and written by address")]

use crate::format::{bf16, e2m1, e4m3};

/// Status codes of the library's header.
pub mod status {
    /// All went well.
    pub const SUCCESS: i32 = 0;
    /// The library could not start.
    pub const NOT_INITIALIZED: i32 = 1;
    /// A pointer or a number that cannot be.
    pub const INVALID_VALUE: i32 = 7;
    /// The GPU failed.
    pub const EXECUTION_FAILED: i32 = 13;
    /// Nothing here does that.
    pub const NOT_SUPPORTED: i32 = 15;
}

/// Data types of the header.
const R_32F: i32 = 0;
const R_16BF: i32 = 14;
const R_8F_E4M3: i32 = 28;
const R_4F_E2M1: i32 = 33;

/// A matrix in the library's words: column after column, `ld` elements apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number of the type.
    pub of: i32,
    /// Rows.
    pub rows: u64,
    /// Columns.
    pub columns: u64,
    /// Elements from a column to the next.
    pub ld: i64,
}

/// How two matrices are multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// Number of the type of sums, and of `alpha`.
    pub compute: i32,
    /// Likewise.
    pub scale: i32,
    /// Whether A and B are transposed.
    pub transposed: [i32; 2],
    /// Addresses of the scales of A and B.
    pub scales: [u64; 2],
    /// How they are laid out: 0 one f32, 1 a UE4M3 for each 16.
    pub modes: [i32; 2],
}

impl Operation {
    /// Whether the double does it. Errors: the status.
    pub fn check(&self, a: &Layout, b: &Layout, c: &Layout, d: &Layout) -> Result<(), i32> {
        let k = a.rows;
        let bits = match a.of {
            R_16BF => 16,
            R_8F_E4M3 => 8,
            R_4F_E2M1 => 4,
            _ => return Err(status::NOT_SUPPORTED),
        };
        let aligned = [a, b].iter().all(|of| (of.ld * bits) % 128 == 0 && of.ld as u64 >= k);
        // Eight-bit and four-bit products want whole vectors of outputs too.
        let whole = bits == 16 || a.columns.is_multiple_of(16);
        let scaled = if bits == 4 { [1, 1] } else { [0, 0] };
        let fine = self.compute == 68
            && self.scale == R_32F
            && self.transposed == [1, 0]
            && a.of == b.of
            && b.rows == k
            && [c, d].iter().all(|of| **of == Layout { of: R_32F, rows: a.columns, columns: b.columns, ld: of.ld })
            && c == d
            && d.ld as u64 >= d.rows
            && self.modes == scaled
            && (bits != 4 || self.scales.iter().all(|at| *at != 0))
            && aligned
            && whole;
        if fine { Ok(()) } else { Err(status::NOT_SUPPORTED) }
    }

    /// D = alpha · Aᵀ·B.
    ///
    /// # Safety
    /// The addresses are those of matrices of these layouts, and the scales' those of theirs.
    pub unsafe fn run(
        &self,
        alpha: f32,
        (a, a_layout): (u64, Layout),
        (b, b_layout): (u64, Layout),
        (d, d_layout): (u64, Layout),
    ) {
        let value = |at: u64, layout: &Layout, scales: u64, column: u64, k: u64| {
            let element = column * layout.ld as u64 + k;
            match layout.of {
                // SAFETY: within the matrix, by the caller's word.
                R_16BF => bf16(unsafe { ((at + 2 * element) as *const u16).read() }),
                // SAFETY: as above.
                R_8F_E4M3 => e4m3(unsafe { ((at + element) as *const u8).read() }),
                _ => {
                    // SAFETY: as above.
                    let pair = unsafe { ((at + element / 2) as *const u8).read() };
                    let tiles = layout.rows.div_ceil(64);
                    let (tile, block) = (column / 128 * tiles + k / 64, k % 64 / 16);
                    let place = tile * 512 + column % 32 * 16 + column % 128 / 32 * 4 + block;
                    // SAFETY: scales fill whole tiles, by the caller's word.
                    let scale = unsafe { ((scales + place) as *const u8).read() };
                    e2m1(if k.is_multiple_of(2) { pair } else { pair >> 4 }) * e4m3(scale & 0x7f)
                }
            }
        };
        for column in 0..d_layout.columns {
            let right: Vec<f64> = (0..b_layout.rows).map(|k| value(b, &b_layout, self.scales[1], column, k)).collect();
            for row in 0..d_layout.rows {
                let left = (0..a_layout.rows).map(|k| value(a, &a_layout, self.scales[0], row, k));
                let sum: f64 = left.zip(&right).map(|(a, b)| a * b).sum();
                let at = d + 4 * (column * d_layout.ld as u64 + row);
                // SAFETY: as above.
                unsafe { (at as *mut f32).write((f64::from(alpha) * sum) as f32) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_here_is_not_supported() {
        let layout = |of, rows, columns, ld| Layout { of, rows, columns, ld };
        let (a, b, d) = (layout(R_16BF, 32, 3, 32), layout(R_16BF, 32, 2, 32), layout(R_32F, 3, 2, 3));
        let operation = Operation { compute: 68, transposed: [1, 0], ..Operation::default() };
        assert_eq!(operation.check(&a, &b, &d, &d), Ok(()));
        for wrong in [
            Operation { transposed: [0, 0], ..operation },
            Operation { compute: 64, ..operation },
            Operation { modes: [1, 0], ..operation },
        ] {
            assert_eq!(wrong.check(&a, &b, &d, &d), Err(status::NOT_SUPPORTED), "{wrong:?}");
        }
        let odd = layout(R_16BF, 33, 3, 33);
        assert!(operation.check(&odd, &layout(R_16BF, 33, 2, 33), &d, &d).is_err());
        assert!(operation.check(&a, &b, &layout(R_16BF, 3, 2, 3), &d).is_err());
    }

    #[test]
    fn a_product_is_the_sum_of_products() {
        let layout = |of, rows, columns, ld| Layout { of, rows, columns, ld };
        // Two columns of A, one of B, of eight elements each: 1.0 in bf16 is 0x3f80.
        let (a, b) = ([[0x3f80_u16; 8], [0x4000; 8]], [0x4040_u16; 8]);
        let mut d = [0.0_f32; 2];
        let operation = Operation { compute: 68, transposed: [1, 0], ..Operation::default() };
        let [a_layout, b_layout] = [layout(R_16BF, 8, 2, 8), layout(R_16BF, 8, 1, 8)];
        let d_layout = layout(R_32F, 2, 1, 2);
        let (a_at, b_at, d_at) = (a.as_ptr() as u64, b.as_ptr() as u64, d.as_mut_ptr() as u64);
        // SAFETY: arrays of these layouts.
        unsafe { operation.run(0.5, (a_at, a_layout), (b_at, b_layout), (d_at, d_layout)) };
        assert_eq!(d, [12.0, 24.0]);
    }
}
