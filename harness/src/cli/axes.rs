//! Every axis of every workload as a flag that takes lists: made from the workloads' own tables.

use clap::{Arg, ArgMatches, Command, Error};
use spark_results::AxisValue;
use spark_workloads::axis::list;
use std::collections::BTreeMap;

/// What was asked of the axes.
#[derive(Clone, Debug, Default)]
pub(super) struct AxisFlags(pub(super) BTreeMap<String, Vec<AxisValue>>);

/// Axis names over all workloads with what they mean, each once; `threads` is a flag of its own.
fn names() -> BTreeMap<&'static str, String> {
    let mut names: BTreeMap<&'static str, String> = BTreeMap::new();
    for workload in spark_workloads::ALL {
        for axis in workload.axes().iter().filter(|a| a.name != "threads") {
            let about = names.entry(axis.name).or_default();
            if !about.contains(axis.about) {
                let join = if about.is_empty() { "" } else { "; " };
                *about = format!("{about}{join}{} ({})", axis.about, workload.name());
            }
        }
    }
    names
}

impl clap::FromArgMatches for AxisFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        for name in names().into_keys() {
            let Some(text) = matches.get_one::<String>(name) else { continue };
            let values =
                list(name, text).map_err(|e| Error::raw(clap::error::ErrorKind::InvalidValue, format!("{e}\n")))?;
            flags.0.insert(name.to_owned(), values);
        }
        Ok(flags)
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for AxisFlags {
    fn augment_args(command: Command) -> Command {
        names().into_iter().fold(command, |command, (name, about)| {
            let hyphen = name.replace('_', "-");
            let arg = Arg::new(name).long(name).value_name("LIST").help(about).help_heading("Axes");
            // So that a size below zero is refused as what it is, and not as an unknown flag.
            let arg = arg.allow_negative_numbers(true);
            command.arg(if hyphen == name { arg } else { arg.alias(hyphen) })
        })
    }
    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
