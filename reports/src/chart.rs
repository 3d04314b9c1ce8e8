//! Charts as inline SVG: the only file that knows plotters. Colours become CSS classes, so that light, dark and print are all right.

use maud::{Markup, PreEscaped, html};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, IntoFont, RGBColor, ShapeStyle};
use std::collections::BTreeSet;

mod axis;
pub(crate) use axis::Axis;

/// A colour role; what it looks like stands in `style.css`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Text,
    Quiet,
    Grid,
    A,
    B,
    C,
    D,
    E,
}

impl Ink {
    const ALL: [(Ink, &'static str); 8] = [
        (Ink::Text, "text"),
        (Ink::Quiet, "quiet"),
        (Ink::Grid, "grid"),
        (Ink::A, "a"),
        (Ink::B, "b"),
        (Ink::C, "c"),
        (Ink::D, "d"),
        (Ink::E, "e"),
    ];
    /// The name of its class.
    pub(crate) fn class(self) -> &'static str {
        Self::ALL.iter().find(|(ink, _)| *ink == self).map_or("text", |(_, name)| name)
    }
    /// The colour that stands for the role until `themed` replaces it.
    fn stand_in(self) -> RGBColor {
        RGBColor(0, 0, Self::ALL.iter().position(|(ink, _)| *ink == self).unwrap_or(0) as u8)
    }
}

/// How a point is drawn: told apart without colour too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Disc,
    Square,
    Diamond,
    Ring,
    Triangle,
}

/// Points joined by a line, with a text to the left of its first point.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) ink: Ink,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) label: String,
    /// Whether each point is drawn too.
    pub(crate) shape: Option<Shape>,
}

/// Points of one family.
#[derive(Clone, Debug)]
pub(crate) struct Dots {
    pub(crate) ink: Ink,
    pub(crate) shape: Shape,
    /// Drawn as an outline: reported by others, not measured.
    pub(crate) hollow: bool,
    pub(crate) points: Vec<(f64, f64)>,
    /// What each point says on hover; none, or one a point.
    pub(crate) titles: Vec<String>,
}

/// A stretch of the x axis, shaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Band {
    pub(crate) ink: Ink,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// What is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Read aloud in place of the picture.
    pub(crate) about: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) bands: Vec<Band>,
    pub(crate) lines: Vec<Line>,
    pub(crate) dots: Vec<Dots>,
}

/// Of so many points not each has its own mark.
const MANY: usize = 200;
/// Pixels around the plot: left, right, top, bottom.
const MARGIN: (i32, i32, i32, i32) = (58, 14, 26, 44);
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

impl Chart {
    /// The chart at two widths, of which CSS shows the one that fits: text keeps its size on a phone.
    pub(crate) fn render(&self, height: u32) -> Markup {
        html! {
            figure {
                @for (class, width, height) in [("wide", 860, height), ("narrow", 344, height.min(300))] {
                    div.(class) {
                        @match self.svg((width, height)) {
                            Ok(svg) => (PreEscaped(svg)),
                            Err(e) => p.why { "this chart could not be drawn: " (e) },
                        }
                    }
                }
            }
        }
    }

    fn svg(&self, size: (u32, u32)) -> Result<String, Box<dyn std::error::Error>> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            let frame = Frame { chart: self, width: size.0 as i32, height: size.1 as i32 };
            frame.draw(&area)?;
            area.present()?;
        }
        let titled =
            self.dots.iter().flat_map(|d| d.titles.iter().map(|title| (d.ink, title.as_str()))).collect::<Vec<_>>();
        Ok(themed(&with_titles(&svg, &titled), &self.about))
    }
}

/// A mark that says something on hover is drawn in a colour of its own, by which it is found again: #40 and its number.
const TITLED: u8 = 0x40;

fn titled_colour(number: usize) -> RGBColor {
    RGBColor(TITLED, (number >> 8) as u8, number as u8)
}

/// Puts each title into the mark that was drawn for it.
fn with_titles(svg: &str, titles: &[(Ink, &str)]) -> String {
    let mut out = String::with_capacity(svg.len());
    for piece in svg.split_inclusive("/>") {
        // The colour is looked for in the tag alone: a text before it may say anything.
        let (before, tag) = piece.rfind('<').map_or((piece, ""), |at| piece.split_at(at));
        let code = tag.split_once("=\"#40").and_then(|(_, code)| code.get(..4));
        let said = code.and_then(|code| titles.get(usize::from_str_radix(code, 16).ok()?).map(|of| (code, of)));
        let (Some((code, (ink, title))), Some(body)) = (said, tag.strip_suffix("/>")) else {
            out += piece;
            continue;
        };
        let RGBColor(r, g, b) = ink.stand_in();
        let name = body.trim_start_matches('<').split_whitespace().next().unwrap_or_default();
        let body = body.replace(&format!("#40{code}"), &format!("#{r:02X}{g:02X}{b:02X}"));
        out += before;
        out += &format!("{body}>{}</{name}>", html! { title { (title) } }.into_string());
    }
    out
}

/// Replaces stand-in colours by classes, and the fixed size by one that scales.
fn themed(svg: &str, about: &str) -> String {
    let mut out = svg.replacen(r#" xmlns="http://www.w3.org/2000/svg""#, "", 1);
    let about = html! { (about) }.into_string().replace('"', "&quot;");
    out = out.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{about}\" "), 1);
    for (ink, name) in Ink::ALL {
        let RGBColor(r, g, b) = ink.stand_in();
        let code = format!("#{r:02X}{g:02X}{b:02X}");
        for (attribute, prefix) in [("fill", "f"), ("stroke", "s")] {
            out = out.replace(&format!("{attribute}=\"{code}\""), &format!("class=\"{prefix}-{name}\""));
        }
    }
    out
}

struct Frame<'a> {
    chart: &'a Chart,
    width: i32,
    height: i32,
}

impl Frame<'_> {
    fn x(&self, value: f64) -> i32 {
        let (left, right) = (MARGIN.0, self.width - MARGIN.1);
        left + (self.chart.x.place(value) * f64::from(right - left)).round() as i32
    }
    fn y(&self, value: f64) -> i32 {
        let (top, bottom) = (MARGIN.2, self.height - MARGIN.3);
        bottom - (self.chart.y.place(value) * f64::from(bottom - top)).round() as i32
    }
    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (self.x(x), self.y(y))
    }

    fn draw(&self, area: &Area) -> Drawn {
        let (left, right) = (MARGIN.0, self.width - MARGIN.1);
        let (top, bottom) = (MARGIN.2, self.height - MARGIN.3);
        for band in &self.chart.bands {
            let corners = [(self.x(band.from), top), (self.x(band.to).max(self.x(band.from) + 1), bottom)];
            area.draw(&Rectangle::new(corners, band.ink.stand_in().mix(0.13).filled()))?;
        }
        for (value, label) in &self.chart.y.ticks {
            let y = self.y(*value);
            area.draw(&PathElement::new([(left, y), (right, y)], stroke(Ink::Grid, 1)))?;
            text(area, label, (left - 7, y), Ink::Quiet, (HPos::Right, VPos::Center))?;
        }
        let mut free = i32::MIN;
        for (value, label) in &self.chart.x.ticks {
            let x = self.x(*value);
            area.draw(&PathElement::new([(x, top), (x, bottom)], stroke(Ink::Grid, 1)))?;
            let half = wide(label) / 2;
            // A label that would touch the one before it or leave the picture is left out; its grid line stays.
            if x - half > free && x + half <= self.width {
                text(area, label, (x, bottom + 8), Ink::Quiet, (HPos::Center, VPos::Top))?;
                free = x + half + 8;
            }
        }
        text(area, &self.chart.y.title, (4, 4), Ink::Quiet, (HPos::Left, VPos::Top))?;
        text(area, &self.chart.x.title, (right, self.height - 3), Ink::Quiet, (HPos::Right, VPos::Bottom))?;
        let mut taken: Vec<(i32, i32, i32)> = Vec::new();
        for line in &self.chart.lines {
            self.line(area, line, &mut taken)?;
        }
        let mut titled = 0;
        for dots in &self.chart.dots {
            let mut taken = BTreeSet::new();
            for (i, &point) in dots.points.iter().enumerate() {
                let at = self.at(point);
                let colour = if i < dots.titles.len() { titled_colour(titled + i) } else { dots.ink.stand_in() };
                // Of thousands many lie on each other: one mark in some pixels is what the eye sees.
                if dots.points.len() < MANY || taken.insert((at.0 / 4, at.1 / 4)) {
                    shape(area, dots.shape, at, colour, dots.hollow)?;
                }
            }
            titled += dots.titles.len();
        }
        Ok(())
    }

    fn line(&self, area: &Area, line: &Line, taken: &mut Vec<(i32, i32, i32)>) -> Drawn {
        let points: Vec<_> = line.points.iter().map(|&p| self.at(p)).collect();
        area.draw(&PathElement::new(points.clone(), stroke(line.ink, 2)))?;
        if let Some(kind) = line.shape.filter(|_| points.len() < MANY) {
            for &at in &points {
                shape(area, kind, at, line.ink.stand_in(), false)?;
            }
        }
        let Some(&(x, mut y)) = points.first().filter(|_| !line.label.is_empty()) else { return Ok(()) };
        let width = wide(&line.label);
        let end = (x - 7).max(width + 2);
        // Labels step down past those that stand already where they would.
        while let Some(&(_, _, other)) =
            taken.iter().find(|(from, to, at)| end - width < *to && end > *from && (at - y).abs() < 14)
        {
            y = other + 14;
        }
        taken.push((end - width, end, y));
        text(area, &line.label, (end, y), line.ink, (HPos::Right, VPos::Center))
    }
}

fn stroke(ink: Ink, width: u32) -> ShapeStyle {
    ink.stand_in().stroke_width(width)
}

const FONT: f64 = 13.0;

/// About how many pixels a text takes.
fn wide(text: &str) -> i32 {
    (text.chars().count() as f64 * FONT * 0.56) as i32
}

fn text(area: &Area, text: &str, at: (i32, i32), ink: Ink, (h, v): (HPos, VPos)) -> Drawn {
    let style =
        ("sans-serif", FONT).into_font().transform(FontTransform::None).color(&ink.stand_in()).pos(Pos::new(h, v));
    area.draw(&Text::new(text.to_owned(), at, style))?;
    Ok(())
}

fn shape(area: &Area, shape: Shape, (x, y): (i32, i32), colour: RGBColor, hollow: bool) -> Drawn {
    let fill = if hollow || shape == Shape::Ring { colour.stroke_width(2) } else { colour.filled() };
    let corners: &[(i32, i32)] = match shape {
        Shape::Disc | Shape::Ring => return Ok(area.draw(&Circle::new((x, y), 5, fill))?),
        Shape::Square => return Ok(area.draw(&Rectangle::new([(x - 4, y - 4), (x + 5, y + 5)], fill))?),
        Shape::Diamond => &[(0, -6), (6, 0), (0, 6), (-6, 0)],
        Shape::Triangle => &[(0, -6), (6, 5), (-6, 5)],
    };
    let mut points: Vec<_> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    if hollow {
        points.extend(points.first().copied());
        area.draw(&PathElement::new(points, fill))?;
    } else {
        area.draw(&Polygon::new(points, fill))?;
    }
    Ok(())
}

/// What stands for what, in HTML beside the picture, where it can wrap.
pub(crate) fn legend(entries: &[(Ink, Option<Shape>, &str)]) -> Markup {
    html! {
        ul.legend {
            @for (ink, shape, name) in entries {
                li { span.key.(ink.class()) aria-hidden="true" { (glyph(*shape)) } (name) }
            }
        }
    }
}

fn glyph(shape: Option<Shape>) -> &'static str {
    match shape {
        Some(Shape::Disc) => "●",
        Some(Shape::Square) => "■",
        Some(Shape::Diamond) => "◆",
        Some(Shape::Ring) => "○",
        Some(Shape::Triangle) => "▲",
        None => "▬",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_fixed_colour_and_no_raw_text_is_left() {
        let chart = Chart {
            about: r#"a "chart" <of>"#.into(),
            x: Axis::log("<x>", 1.0, 1000.0, |v| format!("{v}")),
            y: Axis::linear("y", 10.0, |v| format!("{v}")),
            bands: vec![Band { ink: Ink::A, from: 1.0, to: 10.0 }],
            lines: vec![Line {
                ink: Ink::B,
                points: vec![(1.0, 1.0), (1000.0, 9.0)],
                label: "<script>".into(),
                shape: Some(Shape::Ring),
            }],
            dots: [Shape::Disc, Shape::Square, Shape::Diamond, Shape::Triangle]
                .map(|shape| Dots {
                    ink: Ink::C,
                    shape,
                    hollow: shape == Shape::Square,
                    points: vec![(10.0, 5.0)],
                    titles: vec![format!("<{shape:?}> \"said\"")],
                })
                .to_vec(),
        };
        let svg = chart.svg((400, 300)).unwrap();
        assert!(
            !svg.contains('#') && !svg.contains("http") && !svg.contains("<script") && !svg.contains("<of"),
            "{svg}"
        );
        assert!(svg.contains("class=\"f-c\"") && svg.contains("class=\"s-b\""), "{svg}");
        assert_eq!(svg.matches("<title>").count(), 4, "{svg}");
        for said in [
            "<title>&lt;Disc&gt; &quot;said&quot;</title></circle>",
            "&lt;Triangle&gt;",
            "&lt;Square&gt; &quot;said&quot;</title></rect>",
        ] {
            assert!(svg.contains(said), "{said} in {svg}");
        }
    }
}
