//! Numbers as people read them: a unit, a prefix, three digits; GB is 10⁹ bytes.

/// `value` with an SI prefix and `unit`, three significant digits: `43.1 GB/s`.
pub fn si(value: f64, unit: &str) -> String {
    const PREFIXES: [(f64, &str); 5] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    let (scale, prefix) = PREFIXES.into_iter().find(|(scale, _)| value.abs() >= *scale * 0.9995).unwrap_or((1.0, ""));
    format!("{} {prefix}{unit}", digits(value / scale))
}

/// A duration in nanoseconds: `12.3 µs`.
pub fn duration(ns: f64) -> String {
    let (scale, unit) = match ns {
        ns if ns >= 0.9995e9 => (1e9, "s"),
        ns if ns >= 0.9995e6 => (1e6, "ms"),
        ns if ns >= 0.9995e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    };
    format!("{} {unit}", digits(ns / scale))
}

/// A share as per cent: `87 %`, `4.2 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value.abs() {
        // What is small stays more than nothing: 0 % is said of 0 alone.
        v if v < 0.05 && v > 0.0 => format!("{} %", digits(value)),
        v if v < 9.95 => format!("{value:.1} %"),
        _ => format!("{value:.0} %"),
    }
}

/// A size in bytes with a binary prefix, exact where it can be: `32 KiB`, `1 GiB`, `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value.fract() == 0.0 { format!("{value} {}", UNITS[unit]) } else { format!("{} {}", digits(value), UNITS[unit]) }
}

/// Three significant digits; an exponent only where three decimals would round a number to nothing.
pub fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 || v == 0.0 => format!("{value:.2}"),
        v if v >= 0.0095 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(si(43.12e9, "B/s"), "43.1 GB/s");
        assert_eq!(si(999.6e6, "FLOP/s"), "1.00 GFLOP/s");
        assert_eq!(si(0.5, "tok/s"), "0.500 tok/s");
        assert_eq!(duration(12_340.0), "12.3 µs");
        assert_eq!(duration(2.5e9), "2.50 s");
        assert_eq!((percent(0.873), percent(0.042)), ("87 %".into(), "4.2 %".into()));
        assert_eq!(
            (size(32 << 10), size(1 << 30), size(1_572_864), size(7)),
            ("32 KiB".into(), "1 GiB".into(), "1.50 MiB".into(), "7 B".into())
        );
    }
}
