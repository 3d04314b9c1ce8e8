//! What goes wrong on demand.

use crate::code::{self, Code};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The driver starts and finds no device.
    NoDevice,
    /// The driver does not start.
    Init,
    /// The driver is one of 2021 that loads nothing made since.
    OldDriver,
    /// Another process holds the device.
    Busy,
    /// Its compute mode lets no process use it.
    Prohibited,
    /// Its compute mode lets one process use it, which is another.
    Exclusive,
    /// The device has that many bytes in all.
    Memory(u64),
    /// The question how much memory is free fails.
    MemoryInfo,
    /// The devices do not reach each other's memory.
    NoPeer,
    /// The launch of that number, counted from 1, ends the context with that code.
    Launch(u64, Code),
    /// From the launch of that number on the device answers nothing but an unknown error.
    Lost(u64),
    /// The launch of that number does not return.
    Hang(u64),
}

/// The faults in a comma list.
///
/// # Panics
/// At one that is unknown: a test that misspells a fault would test nothing.
pub fn parse(list: &str) -> Vec<Fault> {
    list.split(',').map(str::trim).filter(|f| !f.is_empty()).map(one).collect()
}

fn one(text: &str) -> Fault {
    let (name, at) = text.split_once('@').map_or((text, None), |(name, at)| (name, at.parse::<u64>().ok()));
    let first = at.unwrap_or(1);
    match name {
        "no-device" => Fault::NoDevice,
        "init" => Fault::Init,
        "old-driver" => Fault::OldDriver,
        "busy" => Fault::Busy,
        "prohibited" => Fault::Prohibited,
        "exclusive" => Fault::Exclusive,
        "memory" => Fault::Memory(at.expect("memory@BYTES")),
        "memory-info" => Fault::MemoryInfo,
        "no-peer" => Fault::NoPeer,
        "launch-failed" => Fault::Launch(first, code::LAUNCH_FAILED),
        "illegal-address" => Fault::Launch(first, code::ILLEGAL_ADDRESS),
        "lost" => Fault::Lost(first),
        "hang" => Fault::Hang(first),
        other => panic!("the double knows no fault '{other}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_a_misspelt_one_is_no_test() {
        assert_eq!(parse("busy, memory@4096"), [Fault::Busy, Fault::Memory(4096)]);
        assert_eq!(parse("launch-failed@3"), [Fault::Launch(3, code::LAUNCH_FAILED)]);
        assert_eq!(parse("lost"), [Fault::Lost(1)]);
        assert!(std::panic::catch_unwind(|| parse("luanch-failed")).is_err());
    }
}
