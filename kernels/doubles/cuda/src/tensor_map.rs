//! Tensor maps: what the copy engine of a GPU from sm_90 on is told about a tensor, of those kinds that kernels here use.

use crate::code::{self, Code};

/// What stands in the 128 bytes; its twin is in the compiler's double.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    mark: u64,
    base: u64,
    columns: u64,
    rows: u64,
    pitch: u64,
    element: u32,
    box_columns: u32,
    box_rows: u32,
    swizzled: u32,
}

const MARK: u64 = 0x7061_6d2d_6b72_6170;

/// A tensor of one or two dimensions as it is asked for; what else the header names is refused by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Number of the element's type in the header.
    pub of: i32,
    /// Address of the first element.
    pub base: u64,
    /// Elements along a row, and rows.
    pub size: [u64; 2],
    /// Bytes from a row to the next.
    pub pitch: u64,
    /// Elements and rows of a box.
    pub window: [u32; 2],
    /// Number of the swizzle: 0 none, 3 over 128 bytes.
    pub swizzle: i32,
}

impl Asked {
    /// The map. Errors: what the engine cannot do.
    pub fn encode(self) -> Result<Map, Code> {
        // uint8, uint16, uint32, int32, uint64, int64, float16, float32, float64, bfloat16.
        let element = *[1, 2, 4, 4, 8, 8, 2, 4, 8, 2]
            .get(usize::try_from(self.of).unwrap_or(usize::MAX))
            .ok_or(code::INVALID_VALUE)?;
        let row = u64::from(self.window[0]) * u64::from(element);
        let fine = self.base.is_multiple_of(16)
            && self.pitch.is_multiple_of(16)
            && self.pitch >= self.size[0] * u64::from(element)
            && row.is_multiple_of(16)
            && self.window.iter().all(|n| (1..=256).contains(n))
            && self.size.iter().all(|n| (1..=1 << 32).contains(n))
            && match self.swizzle {
                0 => true,
                3 => row <= 128,
                _ => false,
            };
        if !fine {
            return Err(code::INVALID_VALUE);
        }
        Ok(Map {
            mark: MARK,
            base: self.base,
            columns: self.size[0],
            rows: self.size[1],
            pitch: self.pitch,
            element,
            box_columns: self.window[0],
            box_rows: self.window[1],
            swizzled: u32::from(self.swizzle == 3),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_cannot_do_is_refused() {
        let asked = Asked { of: 9, base: 4096, size: [512, 100], pitch: 1024, window: [64, 64], swizzle: 3 };
        assert!(asked.encode().is_ok_and(|map| map.element == 2 && map.swizzled == 1));
        assert_eq!(size_of::<Map>(), 56);
        for wrong in [
            Asked { base: 4104, ..asked },
            Asked { pitch: 1000, ..asked },
            Asked { pitch: 512, ..asked },
            Asked { window: [128, 64], ..asked },
            Asked { window: [64, 257], ..asked },
            Asked { of: 99, ..asked },
            Asked { swizzle: 1, ..asked },
        ] {
            assert_eq!(wrong.encode(), Err(code::INVALID_VALUE), "{wrong:?}");
        }
    }
}
