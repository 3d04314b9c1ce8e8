//! What goes wrong on demand.

/// A fault, and for some of them the second at which it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The counter starts at 0 again, each time so many seconds have passed.
    Reset(f64),
    /// The counter comes around at 2³² mJ, 100 J after the start.
    Wrap,
    /// The counter is not added to.
    StuckEnergy,
    /// The power says the same for ever.
    StuckPower,
    /// The GPU is lost.
    Lost(f64),
    /// A call does not return.
    Hang(f64),
    /// The sensor looks a quarter of the time.
    Duty,
    /// No reason bit is set while a counter of throttling grows.
    ThrottleClear,
    /// The bus is a placeholder.
    Pcie,
    /// The memory is 0 bytes.
    MemoryZero,
    /// The memory is the machine's.
    MemoryMachine,
}

/// The faults in a comma list.
///
/// # Panics
/// At one that is unknown: a test that misspells a fault would test nothing.
pub fn parse(list: &str) -> Vec<Fault> {
    list.split(',').map(str::trim).filter(|f| !f.is_empty()).map(one).collect()
}

fn one(text: &str) -> Fault {
    let (name, at) = text.split_once('@').map_or((text, 0.0), |(name, at)| (name, at.parse().unwrap_or(0.0)));
    match name {
        "reset" => Fault::Reset(at),
        "wrap" => Fault::Wrap,
        "stuck-energy" => Fault::StuckEnergy,
        "stuck-power" => Fault::StuckPower,
        "lost" => Fault::Lost(at),
        "hang" => Fault::Hang(at),
        "duty" => Fault::Duty,
        "throttle-clear" => Fault::ThrottleClear,
        "pcie" => Fault::Pcie,
        "memory-zero" => Fault::MemoryZero,
        "memory-machine" => Fault::MemoryMachine,
        other => panic!("the double knows no fault '{other}'"),
    }
}
