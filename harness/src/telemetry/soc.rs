//! Power where no file tells it: of an Apple chip, through macOS and without root.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::Sensor;

#[cfg(target_os = "macos")]
use super::soc_macos::Apple;

/// Milliseconds that each number is the mean of. The chip publishes its counters in batches of up to two seconds, so that a shorter
/// mean would say 0 and then twice as much.
#[cfg(target_os = "macos")]
pub(super) const MEAN_MS: u32 = 1_000;

pub(super) struct Meter {
    live: bool,
    #[cfg(target_os = "macos")]
    apple: Option<Apple>,
}

impl Meter {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self {
            live: root.is_live(),
            #[cfg(target_os = "macos")]
            apple: None,
        }
    }

    /// The channels of the system's own interface, or why there are none.
    fn native(&mut self) -> Result<Vec<Channel>, &'static str> {
        if !self.live {
            return Err("not asked: the machine is read from files");
        }
        #[cfg(target_os = "macos")]
        {
            let (apple, channels) = Apple::start(self.period())?;
            self.apple = Some(apple);
            Ok(channels)
        }
        #[cfg(not(target_os = "macos"))]
        Err("of Apple chips only, and there only under macOS")
    }
}

impl Sensor for Meter {
    fn name(&self) -> &'static str {
        "ioreport"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let name = self.name();
        self.native().unwrap_or_else(|why| vec![Channel::refused(name, Some("power"), None, why)])
    }

    fn read(&mut self) -> Vec<Reading> {
        #[cfg(target_os = "macos")]
        if let Some(apple) = &self.apple {
            return apple.newest();
        }
        Vec::new()
    }

    fn period(&self) -> Duration {
        Duration::from_millis(250)
    }
}
