//! A dot plot in HTML: a line a piece of work with its marks on one logarithmic axis, solid what was measured here, hollow what others
//! report, with the source on hover.

use crate::others::{KINDS, glyph};
use maud::{Markup, html};
use spark_results::published::Kind;
use spark_results::quantity::si;

/// Whose a mark is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Whose {
    /// A published machine's: hollow.
    Reported(Kind),
    /// Measured: solid.
    Measured(Own),
}

/// A mark of what was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Own {
    /// This machine's.
    Here,
    /// A run's among several: its letter and its colour.
    Run(String, &'static str),
}

impl From<Own> for Whose {
    fn from(own: Own) -> Self {
        Self::Measured(own)
    }
}

/// A mark.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) value: f64,
    pub(crate) of: Whose,
    /// Who, how much and who says so.
    pub(crate) title: String,
}

/// A line of marks.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    pub(crate) work: String,
    pub(crate) marks: Vec<Mark>,
}

/// Values from lowest to highest with room on both sides, as places of 0 to 100.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(strips: &[Strip]) -> Option<Self> {
        let values = || strips.iter().flat_map(|s| &s.marks).map(|m| m.value).filter(|v| v.is_finite() && *v > 0.0);
        let (low, high) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        Some(Self { low: low / 1.25, high: high * 1.25 })
    }
    fn place(&self, value: f64) -> f64 {
        (1000.0 * (value / self.low).ln() / (self.high / self.low).ln()).round() / 10.0
    }
    /// Round values along it: decades, and where these are few 2 and 5 between them.
    fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = if self.high / self.low > 300.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let all = decades.flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
        all.filter(|v| (self.low..=self.high).contains(v)).collect()
    }
}

/// The strips over one axis in `unit`; nothing where no mark has a value. The same in words has to stand beside it.
pub(crate) fn strips(about: &str, unit: &str, strips: &[Strip]) -> Option<Markup> {
    let scale = Scale::of(strips)?;
    let at = |value: f64| format!("left:{}%", scale.place(value));
    Some(html! {
        figure.strips role="img" aria-label=(about) {
            @for strip in strips {
                div.strip {
                    span.work { (strip.work) }
                    div.track {
                        @for tick in scale.ticks() { i.tick style=(at(tick)) {} }
                        // The machine's own mark comes first and is drawn last: it lies on top.
                        @for mark in strip.marks.iter().rev() {
                            @match &mark.of {
                                Whose::Reported(kind) => span.mark.ours[*kind == Kind::Own] style=(at(mark.value)) title=(mark.title) { (glyph(*kind)) },
                                Whose::Measured(Own::Here) => span.mark.own style=(at(mark.value)) title=(mark.title) { "●" },
                                Whose::Measured(Own::Run(letter, ink)) => span.mark.run.key.(ink) style=(at(mark.value)) title=(mark.title) { (letter) },
                            }
                        }
                    }
                }
            }
            div.strip.scale { span.work {} div.track { @for tick in scale.ticks() { span.tick style=(at(tick)) { (short(tick, unit)) } } } }
        }
    })
}

/// Which marks these strips have, in words.
pub(crate) fn legend(strips: &[Strip]) -> Markup {
    let there = |kind: Kind| strips.iter().flat_map(|s| &s.marks).any(|m| m.of == Whose::Reported(kind));
    html! {
        ul.legend {
            li { span.key.a aria-hidden="true" { "●" } "this machine, measured" }
            @for (kind, name) in KINDS { @if there(kind) { li { span.key aria-hidden="true" { (glyph(kind)) } (name) } } }
        }
    }
}

/// `10 tok/s`: a round number needs no digits behind the point.
fn short(value: f64, unit: &str) -> String {
    let text = if unit.ends_with("/J") {
        format!("{} {unit}", spark_results::quantity::digits(value))
    } else {
        si(value, unit)
    };
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    format!("{} {unit}", number.parse::<f64>().map_or(number.to_owned(), |n| n.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_lie_where_their_values_are_and_texts_stay_texts() {
        let mark = |value, of| Mark { value, of, title: "<b>\"x\"".into() };
        let (here, mac) = (|| Whose::Measured(Own::Here), Whose::Reported(Kind::Mac));
        let strip = Strip { work: "<i>".into(), marks: vec![mark(10.0, here()), mark(100.0, mac)] };
        let html = strips("about", "tok/s", std::slice::from_ref(&strip)).unwrap().into_string();
        assert!(html.contains("left:8.1%") && html.contains("left:91.9%"), "{html}");
        assert!(
            html.contains("&lt;i&gt;") && html.contains("&lt;b&gt;&quot;x&quot;") && html.contains("20 tok/s"),
            "{html}"
        );
        assert!(html.find("○") < html.find("●"), "the own mark is drawn last");
        assert!(legend(&[strip]).into_string().contains("a Mac, reported"));
        let none = Strip { work: String::new(), marks: vec![mark(f64::NAN, here()), mark(0.0, here())] };
        assert!(strips("", "B/s", &[none]).is_none());
    }
}
