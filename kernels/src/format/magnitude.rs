//! The largest magnitude of a group, from which every block scale is formed.

/// Bits of +∞: a magnitude from here up is infinite or NaN.
pub const INFINITE_BITS: u32 = 0x7f80_0000;

/// 2⁻¹⁰⁰. A group whose largest magnitude is below it counts as all zero where a scale is formed by division: its
/// reciprocal would come near the end of f32's range, and no weight or activation lives there.
pub const NEGLIGIBLE: f32 = f32::from_bits((127 - 100) << 23);

/// The bits of the largest |x|, 0 for an empty slice.
///
/// Magnitudes order like their bits, with infinity above the finite ones and NaN above infinity, so one integer maximum
/// sees both, in any order of evaluation.
pub fn amax_bits(x: &[f32]) -> u32 {
    x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff))
}

/// The largest |x| among the finite elements, 0 if there is none.
pub fn finite_amax(x: &[f32]) -> f32 {
    let most = amax_bits(x);
    if most < INFINITE_BITS {
        return f32::from_bits(most);
    }
    x.iter().filter(|x| x.is_finite()).fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most })
}
