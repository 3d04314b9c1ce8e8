//! The letters of pictures: outlines and widths from a font that the program carries, since a machine may have none.

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, OutlineBuilder};

/// How heavy letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Book,
    Bold,
}

/// A font.
pub(crate) struct Letters {
    face: Face<'static>,
}

impl Letters {
    /// `None` if the embedded font cannot be read, which a test rules out.
    pub(crate) fn of(weight: Weight) -> Option<Self> {
        let bytes: &[u8] = match weight {
            Weight::Book => include_bytes!("../fonts/DejaVuSans.subset.ttf"),
            Weight::Bold => include_bytes!("../fonts/DejaVuSans-Bold.subset.ttf"),
        };
        Some(Self { face: Face::parse(bytes, 0).ok()? })
    }

    /// The outline of `text` at `size`, from the left end of its baseline; `None` where nothing is to be seen. A letter that the font
    /// has not is an empty box.
    pub(crate) fn path(&self, text: &str, size: f32, [x, y]: [f32; 2]) -> Option<Path> {
        let scale = size / f32::from(self.face.units_per_em());
        let mut pen = Pen { path: PathBuilder::new(), x, y, scale };
        for letter in text.chars() {
            let glyph = self.face.glyph_index(letter).unwrap_or_default();
            // A space has no outline.
            let _ = self.face.outline_glyph(glyph, &mut pen);
            pen.x += self.advance(letter) * size;
        }
        pen.path.finish()
    }

    /// How far `text` reaches at `size`.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.advance(letter)).sum::<f32>() * size
    }

    /// At most so much of `text` as is `wide` at `size`, with an ellipsis where it was cut.
    pub(crate) fn fit(&self, text: &str, size: f32, wide: f32) -> String {
        if self.width(text, size) <= wide {
            return text.to_owned();
        }
        let mut left = wide - self.width("…", size);
        let fits = |letter: &char| {
            left -= self.advance(*letter) * size;
            left >= 0.0
        };
        let kept: String = text.chars().take_while(fits).collect();
        format!("{}…", kept.trim_end())
    }

    /// In sizes.
    fn advance(&self, letter: char) -> f32 {
        let glyph = self.face.glyph_index(letter).unwrap_or_default();
        f32::from(self.face.glyph_hor_advance(glyph).unwrap_or_default()) / f32::from(self.face.units_per_em())
    }
}

/// Draws a glyph where it stands; fonts count upwards, pictures downwards.
struct Pen {
    path: PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }
    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_wide_as_their_letters_and_what_is_too_wide_is_cut() {
        let (book, bold) = (Letters::of(Weight::Book).unwrap(), Letters::of(Weight::Bold).unwrap());
        assert!(bold.width("decode", 20.0) > book.width("decode", 20.0));
        assert!((book.width("decode", 40.0) - 2.0 * book.width("decode", 20.0)).abs() < 1e-3);
        assert_eq!(book.fit("short", 10.0, 100.0), "short");
        let cut = book.fit(&"wide ".repeat(40), 10.0, 100.0);
        assert!(cut.ends_with('…') && book.width(&cut, 10.0) <= 100.0 && cut.len() > 8, "{cut}");
        assert_eq!(book.fit("x", 10.0, 0.0), "…");
        assert!(book.path(" ", 10.0, [0.0, 0.0]).is_none(), "a space is nothing to see");
        for letter in "µ±×÷·–…é€Ω●◇○□△☆→≥".chars() {
            for font in [&book, &bold] {
                assert!(font.face.glyph_index(letter).is_some(), "{letter} is missing");
            }
        }
        assert!(book.path("漢", 10.0, [0.0, 0.0]).is_some(), "what is missing is a box, not nothing");
    }
}
