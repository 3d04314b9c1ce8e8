//! A picture of boxes and lines of text, which is written as SVG and drawn as PNG alike.

use crate::letters::{Letters, Weight};
use maud::{Markup, html};
use std::fmt;
use tiny_skia::{FillRule, Paint, PathBuilder, Pixmap, Stroke, Transform};

/// Pixels a unit of length, so that a picture stays sharp on a dense screen.
const SCALE: f32 = 2.0;

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// A part of a picture. Lengths are units of the picture's size.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A box from its left upper corner, with round corners and, where it has one, a line around it.
    Box { at: [f32; 2], size: [f32; 2], round: f32, fill: Colour, line: Option<Colour> },
    /// A line of text from the left end of its baseline.
    Text { at: [f32; 2], size: f32, weight: Weight, fill: Colour, text: String },
}

/// Shapes, the first of them lowest.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) size: [f32; 2],
    /// What it says, for whoever cannot see it.
    pub(crate) about: String,
    pub(crate) shapes: Vec<Shape>,
}

impl Picture {
    /// As SVG that stands alone. Text stays text; where DejaVu Sans is missing it is set in what there is.
    pub(crate) fn svg(&self) -> String {
        let [width, height] = self.size;
        let one = |shape: &Shape| -> Markup {
            match shape {
                Shape::Box { at: [x, y], size: [wide, high], round, fill, line } => html! {
                    rect x=(x) y=(y) width=(wide) height=(high) rx=(round) fill=(fill) stroke=[line.as_ref()] {}
                },
                Shape::Text { at: [x, y], size, weight, fill, text } => html! {
                    text x=(x) y=(y) font-size=(size) font-weight=[(*weight == Weight::Bold).then_some("bold")] fill=(fill) { (text) }
                },
            }
        };
        html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) role="img"
                aria-label=(self.about) font-family="'DejaVu Sans',Verdana,ui-sans-serif,system-ui,sans-serif" {
                @for shape in &self.shapes { (one(shape)) }
            }
        }
        .into_string()
    }

    /// As PNG, twice as many pixels each way as the picture has units; `None` for a picture without extent.
    pub(crate) fn png(&self) -> Option<Vec<u8>> {
        let [width, height] = self.size.map(|length| (length * SCALE).round() as u32);
        let mut pixels = Pixmap::new(width, height)?;
        let scale = Transform::from_scale(SCALE, SCALE);
        for shape in &self.shapes {
            match shape {
                Shape::Box { at, size, round, fill, line } => {
                    let path = rounded(*at, *size, *round)?;
                    pixels.fill_path(&path, &paint(*fill), FillRule::Winding, scale, None);
                    if let Some(line) = line {
                        pixels.stroke_path(&path, &paint(*line), &Stroke::default(), scale, None);
                    }
                }
                Shape::Text { at, size, weight, fill, text } => {
                    if let Some(path) = Letters::of(*weight)?.path(text, *size, *at) {
                        pixels.fill_path(&path, &paint(*fill), FillRule::Winding, scale, None);
                    }
                }
            }
        }
        pixels.encode_png().ok()
    }
}

fn paint(colour: Colour) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(colour.0, colour.1, colour.2, 255);
    paint
}

/// A box whose corners are quarter circles, each as one cubic: 0.5523 of the radius to its control points.
fn rounded([x, y]: [f32; 2], [wide, high]: [f32; 2], round: f32) -> Option<tiny_skia::Path> {
    let r = round.min(wide / 2.0).min(high / 2.0);
    let c = r * (1.0 - 0.552_284_8);
    let (right, below) = (x + wide, y + high);
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(right - r, y);
    path.cubic_to(right - c, y, right, y + c, right, y + r);
    path.line_to(right, below - r);
    path.cubic_to(right, below - c, right - c, below, right - r, below);
    path.line_to(x + r, below);
    path.cubic_to(x + c, below, x, below - c, x, below - r);
    path.line_to(x, y + r);
    path.cubic_to(x, y + c, x + c, y, x + r, y);
    path.close();
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(shapes: Vec<Shape>) -> Picture {
        Picture { size: [40.0, 30.0], about: "a < b".into(), shapes }
    }

    #[test]
    fn a_picture_is_the_same_as_svg_and_as_pixels() {
        let paper =
            Shape::Box { at: [0.0; 2], size: [40.0, 30.0], round: 0.0, fill: Colour(255, 255, 255), line: None };
        let ink = Colour(11, 107, 102);
        let bar = Shape::Box { at: [10.0, 10.0], size: [20.0, 10.0], round: 2.0, fill: ink, line: Some(ink) };
        let word =
            |weight| Shape::Text { at: [2.0, 9.0], size: 8.0, weight, fill: Colour(0, 0, 0), text: "a<b".into() };
        let svg = picture(vec![paper.clone(), bar.clone(), word(Weight::Bold)]).svg();
        assert!(svg.contains("a&lt;b") && svg.contains("#0b6b66") && svg.contains("font-weight=\"bold\""), "{svg}");
        let drawn = |shapes| Pixmap::decode_png(&picture(shapes).png().unwrap()).unwrap();
        let pixels = drawn(vec![paper.clone(), bar]);
        assert_eq!((pixels.width(), pixels.height()), (80, 60));
        let at = |p: &Pixmap, x, y| p.pixel(x, y).map(|p| (p.red(), p.green(), p.blue())).unwrap();
        assert_eq!((at(&pixels, 40, 30), at(&pixels, 4, 30)), ((11, 107, 102), (255, 255, 255)));
        let dark = |p: &Pixmap| p.pixels().iter().filter(|p| p.red() < 128).count();
        let (book, bold) = (drawn(vec![paper.clone(), word(Weight::Book)]), drawn(vec![paper, word(Weight::Bold)]));
        assert!(dark(&book) > 20 && dark(&bold) > dark(&book), "{} {}", dark(&book), dark(&bold));
        assert!(Picture { size: [0.0; 2], ..picture(Vec::new()) }.png().is_none());
    }
}
