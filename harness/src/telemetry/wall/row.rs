//! A row of a meter's table: which column is the time, which the watts.

use std::time::Duration;

/// Which columns of a table are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) time: Option<usize>,
    pub(super) watts: usize,
}

/// Names that a column of watts goes by, most telling first; compared without case.
const WATTS: &[&str] = &["watts", "power_w", "power", "active_power", "apower", "w", "p"];
const TIMES: &[&str] = &["time", "timestamp", "datetime", "date", "unix", "t", "epoch"];

/// One line's fields. Meters write plain numbers: a comma within quotes does not occur in what is read here.
pub(super) fn fields(line: &str) -> Vec<&str> {
    let mark = [';', '\t', ','].into_iter().find(|m| line.contains(*m)).unwrap_or(',');
    line.split(mark).map(|f| f.trim().trim_matches('"').trim()).collect()
}

/// The columns, from the first line: named, or by place where it is a row already.
///
/// # Errors
/// A header without a column of watts.
pub(super) fn columns(first: &str) -> Result<Columns, String> {
    let fields = fields(first);
    if fields.last().is_some_and(|last| last.parse::<f64>().is_ok()) {
        // No header: watts alone, or behind a time.
        return Ok(match fields.len() {
            1 => Columns { time: None, watts: 0 },
            _ => Columns { time: Some(0), watts: 1 },
        });
    }
    // `Power [W]`, `power (W)`, `power/W`
    let plain = |f: &&str| {
        let word = f.split(['[', '(', '/']).next().unwrap_or(f).trim().to_lowercase();
        word.replace(' ', "_")
    };
    let names: Vec<String> = fields.iter().map(plain).collect();
    let find = |wanted: &[&str]| wanted.iter().find_map(|w| names.iter().position(|n| n == w));
    match find(WATTS) {
        Some(watts) => Ok(Columns { time: find(TIMES), watts }),
        None => Err(format!(
            "no column of watts among {}; name one of them `watts`",
            names.iter().map(|n| spark_results::machine::clean(n)).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// Time since 1970, if the row says one, and the watts.
///
/// # Errors
/// What is not understood.
pub(super) fn row(line: &str, columns: &Columns) -> Result<(Option<Duration>, f64), String> {
    let fields = fields(line);
    let clean = spark_results::machine::clean;
    let at = |n: usize| {
        fields.get(n).copied().ok_or_else(|| format!("a row of {} columns: {:?}", fields.len(), clean(line)))
    };
    let watts = at(columns.watts)?;
    let watts: f64 =
        watts.trim_end_matches([' ', 'W']).parse().map_err(|_| format!("no number of watts: {:?}", clean(watts)))?;
    if !watts.is_finite() {
        return Err(format!("no number of watts: {watts}"));
    }
    let time = columns.time.map(|t| at(t).and_then(time)).transpose()?;
    Ok((time, watts))
}

/// Seconds or milliseconds since 1970, or a date with its offset (without one: UTC).
fn time(text: &str) -> Result<Duration, String> {
    if let Ok(number) = text.parse::<f64>() {
        // 10^11 s lie in the year 5138: what is larger counts milliseconds.
        let seconds = if number > 1e11 { number / 1e3 } else { number };
        return Duration::try_from_secs_f64(seconds).map_err(|_| format!("no time: {number}"));
    }
    let stamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    });
    let stamp = stamp.ok_or_else(|| format!("no time: {:?}", spark_results::machine::clean(text)))?;
    Duration::try_from(stamp.as_duration()).map_err(|_| format!("no time: {stamp}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_meters_and_none() {
        let of = |first: &str| columns(first).map(|c| (c.time, c.watts));
        assert_eq!(of("Timestamp,Voltage [V],Power [W]"), Ok((Some(0), 2)));
        assert_eq!(of("\"time\";\"watts\""), Ok((Some(0), 1)));
        assert_eq!(of("12.5"), Ok((None, 0)));
        assert_eq!(of("1763700000.5,12.5"), Ok((Some(0), 1)));
        assert!(of("time,volts").unwrap_err().contains("name one of them `watts`"));
    }

    #[test]
    fn times_and_watts() {
        let columns = Columns { time: Some(0), watts: 1 };
        let of = |line: &str| row(line, &columns).map(|(t, w)| (t.unwrap().as_secs_f64(), w));
        assert_eq!(of("1763700000.5,12.5"), Ok((1_763_700_000.5, 12.5)));
        assert_eq!(of("1763700000500,12.5 W"), Ok((1_763_700_000.5, 12.5)));
        assert_eq!(of("2025-11-21T04:40:00Z,7"), Ok((1_763_700_000.0, 7.0)));
        assert_eq!(of("2025-11-21 04:40:00,7"), Ok((1_763_700_000.0, 7.0)));
        for bad in ["1763700000", "x,1", "1763700000,", "1763700000,inf", "-5,1"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
