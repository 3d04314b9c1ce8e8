//! Energy as Windows tells it: the meters of its Energy Meter Interface (EMI), each with one or more counters.

use std::collections::BTreeSet;
use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::counter::Counter;
use super::emi_told::{self as told, JOULES, Kind, MEASURED_BYTES, Measured, NAME};
use super::{OFTEN, Sensor, channel, reading};

/// What is looked at is not more than this: a processor of many cores has a meter for each.
const MOST_METERS: usize = 4096;

/// What a meter can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Version,
    MetadataSize,
    Metadata,
    Measurement,
}

/// A meter that answers.
pub(super) trait Device: Send {
    /// Its answer, of at most `room` bytes.
    ///
    /// # Errors
    /// As the system says.
    fn ask(&self, question: Question, room: usize) -> Result<Vec<u8>, String>;
}

/// A meter that is listed: the path of its interface, and the meter, or why it cannot be opened.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) device: Result<Box<dyn Device>, String>,
}

/// A channel that is read.
struct Kept {
    /// Its place in the answer.
    at: usize,
    scope: String,
    source: String,
    counter: Counter,
    /// When it was last measured, by the meter's clock.
    time: u64,
}

/// A meter with at least one channel that is read.
struct Meter {
    device: Box<dyn Device>,
    channels: usize,
    kept: Vec<Kept>,
}

/// A meter that said what it has.
struct Asked {
    number: usize,
    device: Box<dyn Device>,
    told: told::Told,
    first: Vec<Measured>,
}

type Find = Box<dyn FnMut() -> Result<Vec<Found>, String> + Send>;

/// The sensor.
pub(super) struct Meters {
    find: Option<Find>,
    meters: Vec<Meter>,
    facts: Vec<(String, String)>,
    trouble: Option<String>,
}

impl Meters {
    #[cfg(windows)]
    pub(super) fn new(root: &SysRoot) -> Self {
        Self::among(root, Box::new(super::emi_sys::find))
    }

    fn among(root: &SysRoot, find: Find) -> Self {
        let find = root.is_live().then_some(find);
        Self { find, meters: Vec::new(), facts: Vec::new(), trouble: None }
    }

    /// Decides which of a meter's channels are read. `scopes` are those that have a counter already.
    fn keep(&mut self, asked: Asked, several: bool, scopes: &mut BTreeSet<String>) -> Vec<Channel> {
        let mut kept = Vec::new();
        let mut channels = Vec::new();
        for (at, ((name, counts), first)) in asked.told.channels.iter().zip(&asked.first).enumerate() {
            let kind = Kind::of(name);
            let scope = kind.scope(name, several);
            let source = format!("{NAME} {} {name}", asked.number);
            let why = match (counts, &kind) {
                (Err(why), _) => Some(why.as_str()),
                // Zero since the machine was started, and the machine runs.
                _ if first.picowatt_hours == 0 => Some("it stands at 0, which is no measurement"),
                (_, Kind::Core) => Some("a part of its package, and not read: asking a core takes it from its work"),
                (_, Kind::Rail) => None,
                // A processor made of several dies tells its package's counter once for each.
                _ => scopes.contains(&scope).then_some("the same counter, told once more by another meter"),
            };
            if let Some(why) = why {
                let refused = Channel::refused(NAME, Some("energy"), Some(&source), why);
                channels.push(Channel { scope: Some(scope), ..refused });
                continue;
            }
            channels.push(channel(NAME, "energy", &scope, &source, "J", self.period()));
            scopes.insert(scope.clone());
            let mut counter = Counter::up_to(None);
            counter.take(first.picowatt_hours);
            kept.push(Kept { at, scope, source, counter, time: first.time });
        }
        if !kept.is_empty() {
            self.meters.push(Meter { device: asked.device, channels: asked.first.len(), kept });
        }
        channels
    }
}

fn ask(number: usize, device: Box<dyn Device>) -> Result<Asked, String> {
    let version = told::version(&device.ask(Question::Version, told::VERSION_BYTES)?)?;
    let bytes = told::metadata_bytes(&device.ask(Question::MetadataSize, told::SIZE_BYTES)?)?;
    let told = told::metadata(version, &device.ask(Question::Metadata, bytes)?)?;
    let first = measure(device.as_ref(), told.channels.len())?;
    Ok(Asked { number, device, told, first })
}

fn measure(device: &dyn Device, channels: usize) -> Result<Vec<Measured>, String> {
    told::measured(&device.ask(Question::Measurement, channels * MEASURED_BYTES)?, channels)
}

impl Sensor for Meters {
    fn name(&self) -> &'static str {
        NAME
    }

    fn probe(&mut self) -> Vec<Channel> {
        let refused = |source: Option<&str>, why: &str| Channel::refused(NAME, Some("energy"), source, why);
        let found = match &mut self.find {
            Some(find) => find(),
            None => Err("not asked: the machine is read from files".to_owned()),
        };
        let found = match found {
            Ok(found) => found,
            Err(why) => return vec![refused(None, &why)],
        };
        let (mut channels, mut all) = (Vec::new(), Vec::new());
        for (number, Found { path, device }) in found.into_iter().take(MOST_METERS).enumerate() {
            match device.and_then(|device| ask(number, device)) {
                Ok(asked) => all.push(asked),
                Err(why) => channels.push(refused(Some(&path), &why)),
            }
        }
        let packages = all.iter().flat_map(|asked| &asked.told.channels).filter_map(|(name, _)| match Kind::of(name) {
            Kind::Package(n) => Some(n),
            _ => None,
        });
        let several = packages.collect::<BTreeSet<u32>>().len() > 1;
        let mut scopes = BTreeSet::new();
        for asked in all {
            self.facts.push((format!("{NAME} {} device", asked.number), asked.told.of.clone()));
            channels.extend(self.keep(asked, several, &mut scopes));
        }
        // Of a whole meter's channels none may be left, or none may be listed at all.
        if channels.is_empty() {
            let why = "no energy meter is listed: none in this machine, a virtual machine, or firmware that does not tell; give a \
                       meter at the wall with --wall-power";
            channels.push(refused(None, why));
        }
        channels
    }

    fn read(&mut self) -> Vec<Reading> {
        let mut readings = Vec::new();
        for meter in &mut self.meters {
            let now = match measure(meter.device.as_ref(), meter.channels) {
                Ok(now) => now,
                Err(why) => {
                    self.trouble = meter.kept.first().map(|kept| format!("{}: {why}", kept.source));
                    continue;
                }
            };
            for kept in &mut meter.kept {
                let Some(now) = now.get(kept.at) else { continue };
                let joules = kept.counter.take(now.picowatt_hours) as f64 * JOULES;
                if kept.counter.reset() {
                    self.trouble = Some(format!("{}: the counter was reset", kept.source));
                } else if now.time < kept.time {
                    self.trouble = Some(format!("{}: its clock went back", kept.source));
                }
                kept.time = now.time;
                readings.push(reading("energy", &kept.scope, &kept.source, joules, "J"));
            }
        }
        readings
    }

    fn period(&self) -> Duration {
        OFTEN
    }

    fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    fn facts(&self) -> Vec<(String, String)> {
        self.facts.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::emi_told::tests::metadata_of;
    use super::*;
    use spark_results::telemetry::Status;
    use std::sync::{Arc, Mutex};

    /// Energies of all channels, in picowatt-hours, and their time; an error where the meter is gone.
    type Counts = Arc<Mutex<Result<(Vec<u64>, u64), String>>>;

    /// A meter whose counts the test turns, and the names of its channels.
    struct Double {
        names: Vec<&'static str>,
        counts: Counts,
    }

    impl Device for Double {
        fn ask(&self, question: Question, room: usize) -> Result<Vec<u8>, String> {
            let metadata = metadata_of(&self.names);
            let bytes = match question {
                Question::Version => vec![2, 0],
                Question::MetadataSize => (metadata.len() as u32).to_le_bytes().to_vec(),
                Question::Metadata => metadata,
                Question::Measurement => {
                    let (counts, time) = self.counts.lock().unwrap().clone()?;
                    counts.iter().flat_map(|n| [*n, time]).flat_map(u64::to_le_bytes).collect()
                }
            };
            Ok(bytes[..bytes.len().min(room)].to_vec())
        }
    }

    fn meter(channels: &[(&'static str, u64)]) -> (Found, Counts) {
        let counts: Counts = Arc::new(Mutex::new(Ok((channels.iter().map(|c| c.1).collect(), 1))));
        let double = Double { names: channels.iter().map(|c| c.0).collect(), counts: Arc::clone(&counts) };
        (Found { path: r"\\?\emi".to_owned(), device: Ok(Box::new(double)) }, counts)
    }

    fn sensor(found: Vec<Found>) -> Meters {
        let mut found = Some(found);
        Meters::among(&SysRoot::live(), Box::new(move || Ok(found.take().unwrap_or_default())))
    }

    type Pairs<'a> = Vec<(&'a str, &'a str)>;

    /// Scope and source of each channel that answers, and scope (or source) and reason of each that does not.
    fn told(channels: &[Channel]) -> (Pairs<'_>, Pairs<'_>) {
        let (ok, refused): (Vec<&Channel>, Vec<&Channel>) = channels.iter().partition(|c| c.status == Status::Ok);
        (
            ok.iter()
                .map(|c| (c.scope.as_deref().unwrap_or_default(), c.source.as_deref().unwrap_or_default()))
                .collect(),
            refused
                .iter()
                .map(|c| {
                    (c.scope.as_ref().or(c.source.as_ref()).map_or("", |s| s), c.reason.as_deref().unwrap_or_default())
                })
                .collect(),
        )
    }

    #[test]
    fn a_processor_s_channels_have_the_scopes_of_the_powercap_files() {
        let (package, counts) = meter(&[
            ("RAPL_Package0_PKG", 1_000_000),
            ("RAPL_Package0_PP0", 500_000),
            ("RAPL_Package0_PP1", 0),
            ("rapl_package0_dram", 7),
            ("RAPL_Package0_Core0_CORE", 9),
        ]);
        let (core, _) = meter(&[("RAPL_Package0_Core1_CORE", 9)]);
        let mut emi = sensor(vec![package, core]);
        let channels = emi.probe();
        let (ok, refused) = told(&channels);
        assert_eq!(
            ok,
            [
                ("cpu", "emi 0 RAPL_Package0_PKG"),
                ("cpu/core", "emi 0 RAPL_Package0_PP0"),
                ("cpu/dram", "emi 0 rapl_package0_dram")
            ]
        );
        assert!(refused[0].0 == "cpu/uncore" && refused[0].1.contains("stands at 0"), "{refused:?}");
        assert!(refused.len() == 3 && refused[1..].iter().all(|r| r.1.contains("asking a core")), "{refused:?}");
        assert_eq!(emi.facts()[0], ("emi 0 device".into(), "Microsoft PPM, revision 3".into()));
        assert_eq!(emi.meters.len(), 1, "a meter of which nothing is read is not asked again");
        // A milliwatt-hour of the package: 3.6 J.
        counts.lock().unwrap().as_mut().unwrap().0[0] += 1_000_000_000;
        let readings = emi.read();
        let values: Vec<f64> = readings.iter().map(|r| r.value).collect();
        assert!((values[0] - 3.6).abs() < 1e-9 && values[1..] == [0.0, 0.0], "{readings:?}");
        assert!(readings[0].quantity == "energy" && readings[0].unit == "J" && emi.trouble().is_none());
    }

    #[test]
    fn packages_are_numbered_where_there_are_several_and_told_once() {
        let found = [("RAPL_Package0_PKG", 5), ("RAPL_Package1_PKG", 6), ("RAPL_Package0_PKG", 5)];
        let channels = sensor(found.iter().map(|c| meter(&[*c]).0).collect()).probe();
        let (ok, refused) = told(&channels);
        assert_eq!(ok, [("cpu 0", "emi 0 RAPL_Package0_PKG"), ("cpu 1", "emi 1 RAPL_Package1_PKG")]);
        assert!(refused.len() == 1 && refused[0].1.contains("by another meter"), "{refused:?}");
    }

    #[test]
    fn what_only_its_maker_knows_keeps_its_name_and_covers_nothing() {
        let names = ["sys_total", "RAPL_PackageX_PKG", "RAPL_Package0_PSYS", "wall", "Current Socket Power"];
        let (found, _) = meter(&names.map(|n| (n, 5)));
        let channels = sensor(vec![found]).probe();
        let scopes: Vec<&str> = told(&channels).0.iter().map(|c| c.0).collect();
        assert_eq!(scopes, names.map(|n| format!("emi {n}")));
    }

    #[test]
    fn a_meter_that_fails_or_starts_again_is_named() {
        let (lives, counts) = meter(&[("RAPL_Package0_PKG", 1_000_000)]);
        let shut = Found { path: r"\\?\shut".to_owned(), device: Err("access is denied".to_owned()) };
        let mut emi = sensor(vec![shut, lives]);
        let channels = emi.probe();
        let (ok, refused) = told(&channels);
        assert_eq!((ok.len(), refused), (1, vec![(r"\\?\shut", "access is denied")]));
        *counts.lock().unwrap() = Ok((vec![2_000_000], 0));
        let before = emi.read()[0].value;
        assert!(before > 0.0 && emi.trouble().is_some_and(|t| t.ends_with("its clock went back")), "{before}");
        *counts.lock().unwrap() = Ok((vec![10], 5));
        let after = emi.read()[0].value;
        assert!(after < before && emi.trouble().is_some_and(|t| t.ends_with("the counter was reset")), "{after}");
        // Fewer bytes than channels, then nothing at all.
        for gone in [Ok((vec![], 6)), Err("the device is gone".to_owned())] {
            *counts.lock().unwrap() = gone;
            assert!(emi.read().is_empty() && emi.trouble().is_some_and(|t| t.starts_with("emi 1 RAPL_Package0_PKG: ")));
        }
    }

    #[test]
    fn where_there_is_no_meter_the_reason_stands() {
        for (mut emi, why) in [
            (sensor(Vec::new()), "no energy meter is listed"),
            (Meters::among(&SysRoot::live(), Box::new(|| Err("error 5".to_owned()))), "error 5"),
            (Meters::among(&SysRoot::at("/none"), Box::new(|| panic!("asked"))), "read from files"),
        ] {
            let channels = emi.probe();
            assert!(channels.len() == 1 && told(&channels).1[0].1.contains(why), "{channels:?}");
            assert!(emi.read().is_empty());
        }
    }
}
