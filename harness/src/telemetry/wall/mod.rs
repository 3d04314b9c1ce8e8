//! A meter between the machine and the wall, outside of it: a file that somebody appends to, or an address that answers.

mod file;
mod json;
mod row;

use std::path::PathBuf;
use std::time::Duration;

use spark_results::machine::clean;
use spark_results::telemetry::{Channel, Reading};

use super::{Sensor, channel, reading};
use file::Tail;

/// No machine that this program is for takes more; what says so is garbage.
const MOST_WATTS: f64 = 100_000.0;
/// So long a line of what is odd; what comes on top of it is more of the same.
const TOLD: usize = 300;
/// The largest answer that is read.
const LARGEST: u64 = 1 << 20;

/// What `--wall-power` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meter {
    /// A CSV that rows are appended to, or a JSON document that is written again and again.
    File(PathBuf),
    /// An address that answers with JSON or a number, and behind `#` the path to the watts in it.
    Url(String, Option<String>),
}

impl Meter {
    /// A file, or an address that begins with `http://`.
    ///
    /// # Errors
    /// What it is not, with the mend.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("http://") {
            if rest.is_empty() || rest.starts_with(['/', '#', '?']) {
                return Err(format!("{}: no host in it; write http://plug.local/…", clean(text)));
            }
            let (url, path) = text.split_once('#').map_or((text, None), |(url, path)| (url, Some(path.to_owned())));
            return Ok(Self::Url(url.to_owned(), path));
        }
        if text.contains("://") {
            return Err(format!(
                "{}: not an address that can be asked; meters in a home answer at http://…",
                clean(text)
            ));
        }
        let path = PathBuf::from(text);
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_file() => Ok(Self::File(path)),
            Ok(_) => Err(format!("{}: not a file; give a CSV, a JSON document or http://…", clean(text))),
            Err(e) => Err(format!("{}: {e}; give a CSV, a JSON document or http://…", clean(text))),
        }
    }

    /// What is named as the source: without a name and password that may stand in an address.
    fn source(&self) -> String {
        match self {
            Self::File(path) => clean(&path.display().to_string()),
            Self::Url(url, _) => {
                let rest = url.trim_start_matches("http://");
                let (host, path) = rest.split_once('/').map_or((rest, ""), |(h, p)| (h, p));
                let host = host.rsplit('@').next().unwrap_or(host);
                clean(&format!("http://{host}/{}", path.split('?').next().unwrap_or(path)))
            }
        }
    }
}

/// # Errors
/// What no machine takes.
fn power(watts: f64) -> Result<f64, String> {
    if (0.0..=MOST_WATTS).contains(&watts) { Ok(watts) } else { Err(format!("{watts} W is no power of a machine")) }
}

/// Adds `why` to what is odd already.
fn tell(odd: &mut Option<String>, why: String) {
    match odd {
        None => *odd = Some(why),
        Some(told) if told.len() < TOLD && !told.contains(&why) => *told = format!("{told}; {why}"),
        Some(_) => {}
    }
}

/// The meter, read about once a second: no meter at the wall is quicker.
pub(super) struct Wall {
    meter: Meter,
    source: String,
    tail: Option<Tail>,
    agent: ureq::Agent,
    trouble: Option<String>,
    age: Duration,
}

/// Watts, and how old they are.
type Watts = (f64, Duration);

impl Wall {
    pub(super) fn new(meter: Meter) -> Self {
        let limits = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(1)));
        let tail = match &meter {
            Meter::File(path) => Some(Tail::of(path.clone())),
            Meter::Url(..) => None,
        };
        let (source, agent) = (meter.source(), limits.build().into());
        Self { meter, source, tail, agent, trouble: None, age: Duration::ZERO }
    }

    /// The watts of now; `None` where nothing new was said.
    fn watts(&mut self) -> Result<Option<Watts>, String> {
        match (&self.meter, &mut self.tail) {
            (Meter::Url(url, path), _) => {
                let answer = self.agent.get(url).call().map_err(|e| e.to_string())?;
                let mut body = answer.into_body();
                let text = body.with_config().limit(LARGEST).read_to_string().map_err(|e| e.to_string())?;
                Ok(Some((power(json::watts(&text, path.as_deref())?)?, Duration::ZERO)))
            }
            (Meter::File(_), Some(tail)) => tail.newest(),
            (Meter::File(_), None) => Ok(None),
        }
    }
}

impl Sensor for Wall {
    fn name(&self) -> &'static str {
        "wall"
    }

    fn probe(&mut self) -> Vec<Channel> {
        match self.watts() {
            Ok(_) => vec![channel("wall", "power", "wall", &self.source, "W", self.period())],
            Err(why) => vec![Channel {
                scope: Some("wall".to_owned()),
                ..Channel::refused("wall", Some("power"), Some(&self.source), why)
            }],
        }
    }

    fn read(&mut self) -> Vec<Reading> {
        let watts = self.watts();
        self.trouble = self.tail.as_mut().and_then(Tail::trouble);
        match watts {
            Ok(Some((watts, age))) => {
                self.age = age;
                vec![reading("power", "wall", &self.source, watts, "W")]
            }
            Ok(None) => Vec::new(),
            Err(why) => {
                tell(&mut self.trouble, why);
                Vec::new()
            }
        }
    }

    fn period(&self) -> Duration {
        match self.meter {
            Meter::Url(..) => Duration::from_millis(500),
            Meter::File(_) => Duration::from_millis(100),
        }
    }

    fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    fn age(&self) -> Duration {
        self.age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_without_its_secrets() {
        let meter =
            Meter::parse("http://me:secret@plug.local/cm?cmnd=Status%208&password=x#StatusSNS.ENERGY.Power").unwrap();
        assert_eq!(meter.source(), "http://plug.local/cm");
        assert!(matches!(&meter, Meter::Url(_, Some(path)) if path == "StatusSNS.ENERGY.Power"));
        for (bad, why) in [
            ("https://plug/", "http://"),
            ("http://", "no host"),
            ("http:///cm", "no host"),
            ("http://#a.b", "no host"),
            ("/no/such/meter.csv", "CSV"),
            (".", "not a file"),
        ] {
            assert!(Meter::parse(bad).unwrap_err().contains(why), "{bad}");
        }
    }

    #[test]
    fn what_no_machine_takes_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.csv");
        std::fs::write(&path, "watts\n50\n").unwrap();
        let mut wall = Wall::new(Meter::File(path.clone()));
        assert_eq!(wall.probe()[0].reason, None);
        for (row, read) in [("60.5\n", 1), ("1e9\n", 0), ("-5\n", 0), ("NaN\n", 0), ("soup\n", 0), ("61\n", 1)] {
            std::fs::OpenOptions::new()
                .append(true)
                .open(&path)
                .and_then(|mut f| std::io::Write::write_all(&mut f, row.as_bytes()))
                .unwrap();
            assert_eq!((wall.read().len(), wall.trouble().is_none()), (read, read == 1), "{row}");
        }
        assert!(wall.read().is_empty() && wall.trouble().is_none(), "nothing new is no trouble");
    }
}
