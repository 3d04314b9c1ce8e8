//! How the numbers came to be and how to read them.

use super::Section;
use crate::page::Page;
use crate::shown::{Status, mark};
use maud::{Markup, html};

/// Method.
#[derive(Debug)]
pub(crate) struct Method;

impl Section for Method {
    fn title(&self) -> &'static str {
        "How to read this"
    }

    fn render(&self, _: &Page) -> Option<Markup> {
        Some(html! {
            dl.reasons {
                dt { "Status" }
                dd {
                    "measured " (mark(Status::Measured)) ": read from a clock or sensor in this run, or counted work over such a time. "
                    "derived " (mark(Status::Derived)) ": computed from several measurements, such as a share of a roof. "
                    "reported " (mark(Status::Reported)) ": the system says so. "
                    "unavailable –: there is no number, and the reason stands where it would be. A missing number is never 0."
                }
                dt { "Order" }
                dd { "A kernel is first compared with an f64 reference. Only a correct one is warmed up, until its time is steady, and then sampled until the interval is narrow or the budget is spent." }
                dt { "Interval" }
                dd { "A rate is the work over the median time. ± is the wider side of the 95 % interval of that median, by ranks. Samples of a shared machine follow each other, so it counts them by how many independent ones they are worth; where that is fewer than six it is their range, and a note says so. Outliers are counted and kept. It tells how well this run knows its median, not how runs differ from each other." }
                dt { "Share of roof" }
                dd { "Time that the binding roof allows ÷ time taken. The roof is measured right before and right after, in the same process, because on a shared machine it moves without a sign: the fastest of its readings on each side stands, since a disturbance only slows, the mean of both sides counts, and both are kept. More than 100 % means that the roof was measured too low." }
                dt { "Cold and warm" }
                dd { "Cold: operands are rotated past the last-level cache, so that they come from memory, as weights do in a decoder. Warm: they stay where the last iteration left them." }
                dt { "Units" }
                dd { "GB is 10⁹ bytes, KiB and MiB are powers of two. A multiply-add is two operations; of integers OP/s, of floating point FLOP/s. tok/J counts only energy of a scope that contains the device." }
            }
        })
    }
}
