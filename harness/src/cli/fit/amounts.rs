//! Amounts as people write them: `8B`, `128GB`, `273GB/s`, `0.17/kWh`, `50%`, `4y`.

/// A number with whatever stands behind it.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim().trim_start_matches('$');
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let value: f64 = text[..end].parse().ok()?;
    value.is_finite().then_some((value, text[end..].trim()))
}

fn scaled(text: &str, what: &str, units: &[(&str, f64)], example: &str) -> Result<f64, String> {
    let found = split(text).and_then(|(value, unit)| {
        let scale = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
        Some(value * scale)
    });
    found.ok_or_else(|| format!("'{text}' is no {what}; write {example}"))
}

/// Parameters: `8B`, `350M`.
pub(super) fn parameters(text: &str) -> Result<u64, String> {
    let count = scaled(
        text,
        "number of parameters",
        &[("", 1.0), ("K", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12)],
        "8B or 350M",
    )?;
    if (1.0..=1e15).contains(&count) {
        Ok(count as u64)
    } else {
        Err(format!("'{text}' is no number of parameters that a model has; write 8B or 350M"))
    }
}

/// Bytes: `128GB`, `24GiB`.
pub(super) fn bytes(text: &str) -> Result<f64, String> {
    const GIB: f64 = (1_u64 << 30) as f64;
    let units = [
        ("B", 1.0),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("MiB", GIB / 1024.0),
        ("GiB", GIB),
        ("TiB", GIB * 1024.0),
    ];
    scaled(text, "size", &units, "128GB or 24GiB")
}

/// Bytes a second: `273GB/s`.
pub(super) fn bandwidth(text: &str) -> Result<f64, String> {
    let rate = scaled(text, "bandwidth", &[("GB/s", 1e9), ("MB/s", 1e6), ("TB/s", 1e12), ("B/s", 1.0)], "273GB/s")?;
    if rate > 0.0 { Ok(rate) } else { Err(format!("'{text}' is no bandwidth; write 273GB/s")) }
}

/// Operations a second: `500TFLOP/s`.
pub(super) fn operations(text: &str) -> Result<f64, String> {
    let units = [
        ("TFLOP/s", 1e12),
        ("GFLOP/s", 1e9),
        ("PFLOP/s", 1e15),
        ("TOP/s", 1e12),
        ("GOP/s", 1e9),
        ("TFLOPS", 1e12),
        ("TOPS", 1e12),
    ];
    let rate = scaled(text, "rate of operations", &units, "125TFLOP/s")?;
    if rate > 0.0 { Ok(rate) } else { Err(format!("'{text}' is no rate of operations; write 125TFLOP/s")) }
}

/// A share: `5%`, `0.05`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let share = scaled(text, "share", &[("%", 0.01), ("", 1.0)], "5% or 0.05")?;
    if (0.0..1.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("'{text}' is no share; write one from 0 up to, but not, 100%"))
    }
}

/// Money a kilowatt-hour: `0.17/kWh`.
pub(super) fn tariff(text: &str) -> Result<f64, String> {
    scaled(text, "tariff", &[("/kWh", 1.0), ("", 1.0), ("/MWh", 1e-3)], "0.17/kWh")
}

/// Money a million tokens: `0.60/Mtok`.
pub(super) fn price_a_million(text: &str) -> Result<f64, String> {
    scaled(text, "price of tokens", &[("/Mtok", 1.0), ("", 1.0), ("/ktok", 1e3)], "0.60/Mtok")
}

/// Money: `2499`.
pub(super) fn money(text: &str) -> Result<f64, String> {
    scaled(text, "price", &[("", 1.0), ("USD", 1.0)], "2499")
}

/// Years: `4y`.
pub(super) fn years(text: &str) -> Result<f64, String> {
    let years = scaled(text, "lifetime", &[("y", 1.0), ("", 1.0), ("years", 1.0), ("months", 1.0 / 12.0)], "4y")?;
    if years > 0.0 { Ok(years) } else { Err(format!("'{text}' is no lifetime; write 4y")) }
}

/// A number above 0: watts, joules, tokens a second.
pub(super) fn above_zero(text: &str) -> Result<f64, String> {
    match split(text.trim_end_matches(['W', 'J'])) {
        Some((value, "")) if value > 0.0 => Ok(value),
        _ => Err(format!("'{text}' is no amount; write a number above 0, such as 28.9")),
    }
}

/// Watts, of which there may be none.
pub(super) fn watts(text: &str) -> Result<f64, String> {
    scaled(text, "power", &[("W", 1.0), ("", 1.0)], "25W")
}

/// Bits an element: from a quarter to 64.
pub(super) fn bits(text: &str) -> Result<f64, String> {
    match split(text) {
        Some((bits, "")) if (0.25..=64.0).contains(&bits) => Ok(bits),
        _ => Err(format!("'{text}' is no number of bits a weight; write 4.85")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_written_and_refused_with_an_example() {
        assert_eq!(
            (parameters("8B"), parameters("1.5b"), parameters("350M")),
            (Ok(8_000_000_000), Ok(1_500_000_000), Ok(350_000_000))
        );
        assert_eq!(
            (bytes("128GB"), bytes("24 GiB"), bandwidth("273GB/s")),
            (Ok(128e9), Ok(24.0 * 1_073_741_824.0), Ok(273e9))
        );
        assert_eq!(
            (tariff("0.17/kWh"), tariff("$0.17"), share("5%"), years("18 months")),
            (Ok(0.17), Ok(0.17), Ok(0.05), Ok(1.5))
        );
        assert_eq!(
            (price_a_million("0.60/Mtok"), money("2499"), above_zero("28.9J"), watts("0W")),
            (Ok(0.6), Ok(2499.0), Ok(28.9), Ok(0.0))
        );
        let wrong = [
            parameters("8X").err(),
            parameters("0").err(),
            bytes("12").err(),
            bandwidth("0GB/s").err(),
            share("100%").err(),
            tariff("x").err(),
            years("0").err(),
            above_zero("-1").err(),
            bits("0").err(),
            money("1e").err(),
            operations("5").err(),
        ];
        for refused in wrong {
            assert!(refused.is_some_and(|said| said.contains("; write ")));
        }
    }
}
