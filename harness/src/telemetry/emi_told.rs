//! What a meter of Windows' Energy Meter Interface answers, byte by byte: nothing in it is believed before its length is seen.
//!
//! The layouts are those of `emi.h` in the Windows SDK: little-endian integers, names in UTF-16.

use spark_results::machine::clean;

/// The sensor's name.
pub(super) const NAME: &str = "emi";
/// Joules in a picowatt-hour.
pub(super) const JOULES: f64 = 3.6e-9;
/// Bytes of the answer to the question for a version, and to that for the size of the metadata.
pub(super) const VERSION_BYTES: usize = 2;
pub(super) const SIZE_BYTES: usize = 4;
/// Bytes of one channel's energy and time.
pub(super) const MEASURED_BYTES: usize = 16;
/// No meter has so much to tell about itself: an interface's 65,535 channels with names of eight letters fit.
const MOST_BYTES: usize = 2 << 20;
/// Bytes of a maker's name and of a model's.
const NAME_BYTES: usize = 32;
/// The one unit that there is: picowatt-hours.
const PICOWATT_HOURS: u32 = 0;

/// What a meter says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// Its maker, model and revision.
    pub(super) of: String,
    /// What each channel counts, or why its numbers are not understood, by its name.
    pub(super) channels: Vec<(String, Result<(), String>)>,
}

/// Energy and time of one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub(super) picowatt_hours: u64,
    /// In units of 100 ns, of a clock that only this meter knows.
    pub(super) time: u64,
}

/// What a channel counts, by its name. The names beginning with `RAPL` are those of Windows' own driver for processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A package of cores, by its number.
    Package(u32),
    /// A part of one.
    Part(u32, &'static str),
    /// One core of one.
    Core,
    /// Something that only its maker knows.
    Rail,
}

impl Kind {
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let Some((package, domain)) = name.strip_prefix("rapl_package").and_then(|rest| rest.split_once('_')) else {
            return Self::Rail;
        };
        let Ok(package) = package.parse() else { return Self::Rail };
        match domain {
            "pkg" => Self::Package(package),
            "pp0" => Self::Part(package, "core"),
            "pp1" => Self::Part(package, "uncore"),
            "dram" => Self::Part(package, "dram"),
            _ if domain.starts_with("core") && domain.ends_with("_core") => Self::Core,
            _ => Self::Rail,
        }
    }

    /// A package is the scope `cpu`, `cpu N` where there are several, and its parts stand beneath it, as those of the powercap files do.
    pub(super) fn scope(&self, name: &str, several: bool) -> String {
        let whole = |n: &u32| if several { format!("cpu {n}") } else { "cpu".to_owned() };
        match self {
            Self::Package(n) => whole(n),
            Self::Part(n, part) => format!("{}/{part}", whole(n)),
            Self::Core | Self::Rail => format!("{NAME} {name}"),
        }
    }
}

/// The version of the interface that a meter speaks.
///
/// # Errors
/// What was answered instead of a version that is known.
pub(super) fn version(answer: &[u8]) -> Result<u16, String> {
    match u16_at(answer, 0) {
        Some(known @ 1..=2) => Ok(known),
        Some(other) => Err(format!("it speaks version {other} of the interface; versions 1 and 2 are known")),
        None => Err(cut("version", answer)),
    }
}

/// How many bytes the metadata has.
///
/// # Errors
/// That it says so of no size, or of one that no meter has.
pub(super) fn metadata_bytes(answer: &[u8]) -> Result<usize, String> {
    let bytes = u32_at(answer, 0).ok_or_else(|| cut("size of the metadata", answer))? as usize;
    if bytes == 0 || bytes > MOST_BYTES {
        return Err(format!("its metadata is said to have {bytes} bytes"));
    }
    Ok(bytes)
}

/// The metadata of a meter that speaks `version`.
///
/// # Errors
/// Where the answer ends before what it announces.
pub(super) fn metadata(version: u16, answer: &[u8]) -> Result<Told, String> {
    let told = if version == 1 { one(answer) } else { several(answer) };
    told.unwrap_or_else(|| Err(cut("metadata", answer)))
}

/// Version 1: unit, maker, model, revision, bytes of the name, name.
fn one(answer: &[u8]) -> Option<Result<Told, String>> {
    let maker = 4;
    let revision = maker + 2 * NAME_BYTES;
    let of = of(answer, maker, u16_at(answer, revision)?)?;
    let bytes = usize::from(u16_at(answer, revision + 2)?);
    let name = text(answer.get(revision + 4..revision + 4 + bytes)?);
    Some(Ok(Told { of, channels: vec![(named(name, 0), unit(u32_at(answer, 0)?))] }))
}

/// Version 2: maker, model, revision, number of channels, and of each its unit, the bytes of its name, and its name, without gaps.
fn several(answer: &[u8]) -> Option<Result<Told, String>> {
    let revision = 2 * NAME_BYTES;
    let of = of(answer, 0, u16_at(answer, revision)?)?;
    let count = u16_at(answer, revision + 2)?;
    let mut at = revision + 4;
    let mut channels = Vec::new();
    for channel in 0..usize::from(count) {
        let whole = u16_at(answer, at + 4).and_then(|bytes| answer.get(at + 6..at + 6 + usize::from(bytes)));
        let (Some(name), Some(counts)) = (whole, u32_at(answer, at)) else {
            return Some(Err(format!("it announces {count} channels, of which {channel} are in its metadata")));
        };
        channels.push((named(text(name), channel), unit(counts)));
        at += 6 + name.len();
    }
    Some(Ok(Told { of, channels }))
}

/// What `channels` channels measured.
///
/// # Errors
/// That not so many are in the answer.
pub(super) fn measured(answer: &[u8], channels: usize) -> Result<Vec<Measured>, String> {
    let all: Option<Vec<Measured>> = (0..channels)
        .map(|n| {
            let (energy, time) = (u64_at(answer, n * MEASURED_BYTES)?, u64_at(answer, n * MEASURED_BYTES + 8)?);
            Some(Measured { picowatt_hours: energy, time })
        })
        .collect();
    all.ok_or_else(|| format!("it measures {channels} channels and answered with {} bytes", answer.len()))
}

/// The names in a list of names that each end in a 0.
pub(super) fn names(list: &[u16]) -> Vec<String> {
    list.split(|unit| *unit == 0).filter(|name| !name.is_empty()).map(String::from_utf16_lossy).collect()
}

fn of(answer: &[u8], maker: usize, revision: u16) -> Option<String> {
    let model = maker + NAME_BYTES;
    let (maker, model) = (answer.get(maker..model)?, answer.get(model..model + NAME_BYTES)?);
    Some(clean(&format!("{} {}, revision {revision}", text(maker), text(model))))
}

fn unit(counts: u32) -> Result<(), String> {
    if counts == PICOWATT_HOURS {
        Ok(())
    } else {
        Err(format!("it counts in a unit that is not known (number {counts})"))
    }
}

/// The name of the channel of this index; one without a name is named after its place.
fn named(name: String, index: usize) -> String {
    if name.is_empty() { format!("channel {index}") } else { name }
}

/// UTF-16 up to the first 0; what is no text in it is shown as such, half a unit at the end is dropped.
fn text(bytes: &[u8]) -> String {
    let units: Vec<u16> =
        bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).take_while(|u| *u != 0).collect();
    clean(&String::from_utf16_lossy(&units))
}

fn cut(what: &str, answer: &[u8]) -> String {
    format!("its {what} ends after {} bytes", answer.len())
}

fn bytes_at<const N: usize>(answer: &[u8], at: usize) -> Option<[u8; N]> {
    answer.get(at..)?.first_chunk().copied()
}

fn u16_at(answer: &[u8], at: usize) -> Option<u16> {
    bytes_at(answer, at).map(u16::from_le_bytes)
}

fn u32_at(answer: &[u8], at: usize) -> Option<u32> {
    bytes_at(answer, at).map(u32::from_le_bytes)
}

fn u64_at(answer: &[u8], at: usize) -> Option<u64> {
    bytes_at(answer, at).map(u64::from_le_bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// Maker, model and revision 3.
    fn maker() -> Vec<u8> {
        let mut bytes = utf16("Microsoft");
        bytes.resize(NAME_BYTES, 0);
        bytes.extend(utf16("PPM"));
        bytes.resize(2 * NAME_BYTES, 0);
        bytes.extend(3u16.to_le_bytes());
        bytes
    }

    /// The metadata of version 2 with these names, each behind a 0 at its end.
    pub(in super::super) fn metadata_of(names: &[&str]) -> Vec<u8> {
        let mut bytes = maker();
        bytes.extend((names.len() as u16).to_le_bytes());
        for name in names {
            let name = utf16(&format!("{name}\0"));
            bytes.extend(PICOWATT_HOURS.to_le_bytes());
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend(name);
        }
        bytes
    }

    fn names_of(told: &Told) -> Vec<&str> {
        told.channels.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn both_versions_tell_maker_and_channels() {
        let two = metadata(2, &metadata_of(&["RAPL_Package0_PKG", "Übertakter ⚡", ""])).unwrap();
        assert_eq!(two.of, "Microsoft PPM, revision 3");
        assert_eq!(names_of(&two), ["RAPL_Package0_PKG", "Übertakter ⚡", "channel 2"]);
        assert!(two.channels.iter().all(|(_, counts)| counts.is_ok()));

        let name = utf16("Meter\0");
        let one: Vec<u8> = [&7u32.to_le_bytes()[..], &maker(), &(name.len() as u16).to_le_bytes(), &name].concat();
        let one = metadata(1, &one).unwrap();
        assert_eq!((one.of.as_str(), names_of(&one)), ("Microsoft PPM, revision 3", vec!["Meter"]));
        assert!(one.channels[0].1.as_ref().unwrap_err().contains("number 7"), "only picowatt-hours are known");
    }

    #[test]
    fn metadata_that_is_cut_anywhere_or_counts_wrongly_is_refused() {
        let whole = metadata_of(&["RAPL_Package0_PKG", "RAPL_Package0_DRAM"]);
        for version in [1, 2] {
            for end in 0..whole.len() {
                // As version 1 the same bytes are some name; what matters is that nothing is read beyond the end.
                let told = metadata(version, &whole[..end]);
                assert!(version == 1 || told.is_err(), "{end}: {told:?}");
            }
        }
        let mut lies = whole.clone();
        lies[2 * NAME_BYTES + 2..2 * NAME_BYTES + 4].copy_from_slice(&u16::MAX.to_le_bytes());
        assert_eq!(metadata(2, &lies).unwrap_err(), "it announces 65535 channels, of which 2 are in its metadata");
        // A name that is said to be as long as can be.
        let mut lies = whole;
        lies[2 * NAME_BYTES + 8..2 * NAME_BYTES + 10].copy_from_slice(&u16::MAX.to_le_bytes());
        assert!(metadata(2, &lies).unwrap_err().contains("of which 0"));
    }

    #[test]
    fn odd_names_stay_text() {
        // Half a surrogate pair, a line break, no 0 at the end, and an odd number of bytes behind which the next channel stands.
        let mut bytes = maker();
        bytes.extend(2u16.to_le_bytes());
        for name in [&[0x00, 0xd8, 0x41, 0x00, 0x0a, 0x00, 0x42, 0x00, 0x43][..], &[0x44, 0x00]] {
            bytes.extend(PICOWATT_HOURS.to_le_bytes());
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend(name);
        }
        assert_eq!(names_of(&metadata(2, &bytes).unwrap()), ["\u{fffd}A B", "D"]);
        assert_eq!(names(&[65, 66, 0, 67, 0, 0]), ["AB", "C"]);
        assert!(names(&[]).is_empty() && names(&[0, 0]).is_empty());
    }

    #[test]
    fn versions_and_sizes_are_believed_within_reason() {
        assert_eq!((version(&[1, 0]), version(&[2, 0, 9])), (Ok(1), Ok(2)));
        for bad in [&[][..], &[2], &[0, 0], &[3, 0], &[0, 2]] {
            assert!(version(bad).is_err(), "{bad:?}");
        }
        assert_eq!(metadata_bytes(&200u32.to_le_bytes()), Ok(200));
        for bad in [&[][..], &[1, 0, 0], &[0; 4], &[255; 4]] {
            assert!(metadata_bytes(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn energies_are_as_many_as_channels() {
        let bytes: Vec<u8> = [5u64, 10, u64::MAX, 20].iter().flat_map(|n| n.to_le_bytes()).collect();
        let two = measured(&bytes, 2).unwrap();
        assert_eq!((two[0].picowatt_hours, two[1].picowatt_hours, two[1].time), (5, u64::MAX, 20));
        assert!(measured(&bytes, 1).is_ok() && measured(&bytes, 3).is_err() && measured(&bytes[..31], 2).is_err());
        assert!((1e12 * JOULES - 3600.0).abs() < 1e-9, "a watt-hour is 3600 joules");
    }
}
