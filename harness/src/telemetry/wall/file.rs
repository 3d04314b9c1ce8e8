//! A meter's file as it grows: the newest row, how old it is, and what is odd about it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use spark_results::machine::clean;

use super::row::{Columns, columns, row};
use super::{LARGEST, Watts, json, power, tell};

/// How far before its end a file is read at first: the newest row is there.
const END: u64 = 4096;
/// Rows farther apart leave a hole that no integral bridges.
const GAP: Duration = Duration::from_secs(3);
/// Older rows are of another time than the one that is measured.
const STALE: Duration = Duration::from_secs(10);

/// The file's end, row by row.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    columns: Option<Columns>,
    /// The first line, which may name the columns.
    header: String,
    /// How far it has been read, in bytes.
    read: u64,
    /// The line that is not yet whole.
    part: String,
    last: Option<Duration>,
    trouble: Option<String>,
}

impl Tail {
    pub(super) fn of(path: PathBuf) -> Self {
        Self { path, columns: None, header: String::new(), read: 0, part: String::new(), last: None, trouble: None }
    }

    /// What is odd about the rows that were read last: all of it, since several rows may come between two looks.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// The newest whole row since the last call, and how old it is.
    ///
    /// # Errors
    /// The file cannot be read; its rows are not understood.
    pub(super) fn newest(&mut self) -> Result<Option<Watts>, String> {
        let mut file = File::open(&self.path).map_err(|e| e.to_string())?;
        let size = file.metadata().map_err(|e| e.to_string())?.len();
        let columns = match &self.columns {
            Some(columns) => columns.clone(),
            None => {
                let first = text(&mut file, 0, END)?;
                if first.trim_start().starts_with(['{', '[']) {
                    let whole = text(&mut file, 0, LARGEST)?;
                    return Ok(Some((power(json::watts(&whole, None)?)?, Duration::ZERO)));
                }
                let Some((first, _)) = first.split_once('\n') else {
                    return Err(
                        "no whole line yet: a CSV with a column `watts`, or a JSON document, is expected".to_owned()
                    );
                };
                self.read = size.saturating_sub(END);
                // What stands before the first line's end is half a row.
                self.part = if self.read > 0 { "\u{0}".to_owned() } else { String::new() };
                self.header = first.trim_end().to_owned();
                self.columns.insert(columns(first)?).clone()
            }
        };
        if size < self.read {
            tell(&mut self.trouble, "the file became shorter: it is read from its beginning again".to_owned());
            (self.read, self.part) = (0, String::new());
        }
        let new = text(&mut file, self.read, LARGEST)?;
        self.read += new.len() as u64;
        self.part.push_str(&new);
        let whole = self.part.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = self.part.drain(..whole).collect();
        let mut newest = None;
        for line in lines.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('\u{0}')) {
            match row(line, &columns).and_then(|(time, watts)| Ok((time, power(watts)?))) {
                Ok((time, watts)) => newest = self.take(time, watts).or(newest),
                // The header is no row.
                Err(_) if line.trim_end() == self.header => {}
                Err(why) => tell(&mut self.trouble, why),
            }
        }
        Ok(newest)
    }

    /// A row in its place in time, unless its clock went back.
    fn take(&mut self, time: Option<Duration>, watts: f64) -> Option<Watts> {
        let Some(time) = time else { return Some((watts, Duration::ZERO)) };
        let last = self.last.replace(time);
        match last {
            Some(last) if time < last => {
                tell(&mut self.trouble, format!("the meter's clock went back by {:.1} s", (last - time).as_secs_f64()));
                return None;
            }
            Some(last) if time - last > GAP => {
                tell(&mut self.trouble, format!("no row for {:.1} s", (time - last).as_secs_f64()));
            }
            _ => {}
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let age = now.saturating_sub(time);
        if age > STALE {
            tell(
                &mut self.trouble,
                format!("its newest row is {:.0} s old by this machine's clock", age.as_secs_f64()),
            );
            return None;
        }
        Some((watts, age))
    }
}

fn text(file: &mut File, from: u64, most: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from)).map_err(|e| e.to_string())?;
    file.take(most).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    // The length in bytes is counted on: what is no UTF-8 is an error, not a replacement.
    String::from_utf8(bytes).map_err(|e| format!("no text: {}", clean(&e.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn now() -> f64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
    }

    #[test]
    fn gaps_and_clocks_that_go_back_are_named_and_reading_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("meter.csv");
        let mut file = File::create(&path).unwrap();
        writeln!(file, "time,watts").unwrap();
        let mut tail = Tail::of(path);
        assert_eq!(tail.newest(), Ok(None));
        let t = now();
        writeln!(file, "{},50", t - 8.0).unwrap();
        let (watts, age) = tail.newest().unwrap().unwrap();
        assert!((watts, tail.trouble()) == (50.0, None) && (7.9..9.9).contains(&age.as_secs_f64()), "{age:?}");
        writeln!(file, "{},51", t - 2.0).unwrap();
        assert_eq!(tail.newest().unwrap().unwrap().0, 51.0);
        assert!(tail.trouble().unwrap().contains("no row for 6.0 s"));
        writeln!(file, "{},52", t - 3.0).unwrap();
        assert_eq!(tail.newest(), Ok(None));
        assert!(tail.trouble().unwrap().contains("went back by 1.0 s"));
        // Half a row waits for its end.
        write!(file, "{},5", t - 1.0).unwrap();
        assert_eq!((tail.newest(), tail.trouble()), (Ok(None), None));
        writeln!(file, "3").unwrap();
        assert_eq!(tail.newest().unwrap().unwrap().0, 53.0);
        file.set_len(0).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        writeln!(file, "time,watts\n{t},54").unwrap();
        assert_eq!(tail.newest().unwrap().unwrap().0, 54.0);
    }

    #[test]
    fn rows_that_come_at_once_are_all_looked_at_and_the_newest_that_is_good_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("meter.csv");
        let t = now();
        let rows = [(t - 5.0, "50"), (t - 4.0, "-4"), (t - 6.0, "51"), (t - 1.0, "52"), (t, "1e9")];
        let rows: String = rows.iter().map(|(t, watts)| format!("{t},{watts}\n")).collect();
        std::fs::write(&path, format!("time,watts\n{rows}soup\n")).unwrap();
        let mut tail = Tail::of(path);
        assert_eq!(tail.newest().unwrap().unwrap().0, 52.0);
        let told = tail.trouble().unwrap();
        for named in ["-4 W is no power", "went back by 1.0 s", "no row for 5.0 s", "1000000000 W is no power", "soup"]
        {
            assert!(told.contains(named), "{named:?}: {told}");
        }
        assert_eq!(tail.trouble(), None);
    }

    #[test]
    fn a_long_file_is_read_at_its_end_and_an_old_one_is_stale() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("meter.csv");
        let rows: String =
            (0..1000).map(|i| format!("{},{}\n", now() - 100.0 + f64::from(i) * 0.1, 20 + i % 7)).collect();
        std::fs::write(&path, rows).unwrap();
        assert!(Tail::of(path.clone()).newest().unwrap().is_some());
        std::fs::write(&path, "time,watts\n1000000000,20\n").unwrap();
        let mut old = Tail::of(path.clone());
        assert_eq!(old.newest(), Ok(None));
        assert!(old.trouble().unwrap().contains("old by this machine's clock"));
        std::fs::write(&path, "{\"apower\": 33.5}").unwrap();
        assert_eq!(Tail::of(path.clone()).newest().unwrap().unwrap().0, 33.5);
        std::fs::write(&path, [0xff, 0xfe, b'\n']).unwrap();
        assert!(Tail::of(path).newest().unwrap_err().contains("no text"));
    }
}
