//! Arithmetic as data: `parameters * bits / 8`, evaluated, and shown with its numbers put in.

use std::fmt;

/// A parsed formula.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A number.
    Number(f64),
    /// An input, or a step before.
    Name(String),
    /// Two parts and what is done with them.
    Pair(Box<Expression>, Sign, Box<Expression>),
}

/// The four operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Sum.
    Plus,
    /// Difference.
    Minus,
    /// Product.
    Times,
    /// Quotient.
    Over,
}

impl Sign {
    const fn shown(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "−",
            Self::Times => "×",
            Self::Over => "÷",
        }
    }
    const fn binds(self) -> u8 {
        match self {
            Self::Plus | Self::Minus => 1,
            Self::Times | Self::Over => 2,
        }
    }
}

/// Nesting beyond this is no arithmetic that anybody can follow.
const DEEPEST: usize = 32;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Expression {
    /// Reads a formula: numbers, names, `+ - * /`, parentheses. Errors: what stands where it cannot.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text, depth: 0 };
        let all = reader.sum()?;
        match reader.peek() {
            None => Ok(all),
            Some(c) => {
                Err(format!("'{c}' cannot stand there in '{text}'; a formula has numbers, names, + - * / and ( )"))
            }
        }
    }
    /// Its value, with names as `of` knows them. Errors: an unknown name, a result that is no number.
    pub fn value(&self, of: &dyn Fn(&str) -> Option<f64>) -> Result<f64, String> {
        let value = match self {
            Self::Number(value) => *value,
            Self::Name(name) => {
                of(name).ok_or_else(|| format!("'{name}' is not known; list it as an input or an earlier step"))?
            }
            Self::Pair(left, sign, right) => {
                let (left, right) = (left.value(of)?, right.value(of)?);
                match sign {
                    Sign::Plus => left + right,
                    Sign::Minus => left - right,
                    Sign::Times => left * right,
                    Sign::Over => left / right,
                }
            }
        };
        value.is_finite().then_some(value).ok_or_else(|| format!("'{self}' has no finite value"))
    }
    /// The names in it, in order.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::Name(name) => vec![name],
            Self::Pair(left, _, right) => [left.names(), right.names()].concat(),
        }
    }
    /// The same text with numbers in place of names.
    pub fn with_numbers(&self, of: &dyn Fn(&str) -> Option<f64>) -> String {
        self.write(0, &|name| of(name).map_or_else(|| name.to_owned(), number))
    }
    fn write(&self, outer: u8, name: &dyn Fn(&str) -> String) -> String {
        match self {
            Self::Number(value) => number(*value),
            Self::Name(text) => name(text),
            Self::Pair(left, sign, right) => {
                let own = sign.binds();
                // What follows a minus or a division keeps its parentheses.
                let text = format!("{} {} {}", left.write(own, name), sign.shown(), right.write(own + 1, name));
                if own < outer { format!("({text})") } else { text }
            }
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.write(0, &|name| name.replace('_', " ")))
    }
}

/// A number as people write it in a sum: four digits, a power of ten where it is large or small.
pub fn number(value: f64) -> String {
    let exponent = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    let trimmed = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    match exponent {
        -3..=-1 => trimmed(format!("{value:.*}", (4 - exponent) as usize)),
        0..=6 if value.fract() == 0.0 => format!("{value}"),
        0..=5 => trimmed(format!("{value:.*}", (4 - exponent).max(0) as usize)),
        _ => {
            // Powers of ten by threes, as units have them.
            let by_three = exponent.div_euclid(3) * 3;
            format!("{}e{by_three}", trimmed(format!("{:.*}", 3, value / 10_f64.powi(by_three))))
        }
    }
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }
    fn take(&mut self, len: usize) -> &str {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }
    fn sum(&mut self) -> Result<Expression, String> {
        let mut all = self.product()?;
        while let Some(sign) = match self.peek() {
            Some('+') => Some(Sign::Plus),
            Some('-') => Some(Sign::Minus),
            _ => None,
        } {
            self.take(1);
            all = Expression::Pair(Box::new(all), sign, Box::new(self.product()?));
        }
        Ok(all)
    }
    fn product(&mut self) -> Result<Expression, String> {
        let mut all = self.atom()?;
        while let Some(sign) = match self.peek() {
            Some('*') => Some(Sign::Times),
            Some('/') => Some(Sign::Over),
            _ => None,
        } {
            self.take(1);
            all = Expression::Pair(Box::new(all), sign, Box::new(self.atom()?));
        }
        Ok(all)
    }
    fn atom(&mut self) -> Result<Expression, String> {
        match self.peek() {
            Some('(') => {
                self.take(1);
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(format!("more than {DEEPEST} parentheses in one another"));
                }
                let inner = self.sum()?;
                self.depth -= 1;
                match self.peek() {
                    Some(')') => {
                        self.take(1);
                        Ok(inner)
                    }
                    _ => Err("a ')' is missing".to_owned()),
                }
            }
            Some(c) if c.is_ascii_digit() => {
                let mut before = ' ';
                let end = self.rest.find(|c: char| {
                    let goes_on = c.is_ascii_alphanumeric() || c == '.' || (before == 'e' && (c == '-' || c == '+'));
                    before = c;
                    !goes_on
                });
                let text = self.take(end.unwrap_or(self.rest.len())).to_owned();
                text.parse().map(Expression::Number).map_err(|_| format!("'{text}' is no number"))
            }
            Some(c) if c.is_ascii_alphabetic() => {
                let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                Ok(Expression::Name(self.take(end.unwrap_or(self.rest.len())).to_owned()))
            }
            Some(c) => Err(format!("'{c}' cannot stand there; a number, a name or '(' has to")),
            None => Err("the formula ends where a number, a name or '(' has to stand".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(name: &str) -> Option<f64> {
        [("parameters", 70e9), ("bits", 4.5), ("bandwidth", 273e9)]
            .into_iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v)
    }

    #[test]
    fn formulas_are_computed_and_shown_with_their_numbers() {
        let bytes = Expression::read("parameters * bits / 8").unwrap();
        assert_eq!(bytes.value(&known), Ok(39.375e9));
        assert_eq!(bytes.to_string(), "parameters × bits ÷ 8");
        assert_eq!(bytes.with_numbers(&known), "70e9 × 4.5 ÷ 8");
        let nested = Expression::read("bandwidth / (parameters * bits / 8) - (2 - 1)").unwrap();
        assert!((nested.value(&known).unwrap() - (273.0 / 39.375 - 1.0)).abs() < 1e-12);
        assert_eq!(nested.with_numbers(&known), "273e9 ÷ (70e9 × 4.5 ÷ 8) − (2 − 1)");
        assert_eq!(Expression::read("1 - 2 - 3").unwrap().value(&known), Ok(-4.0));
        assert_eq!(Expression::read("2.5e-3 * 1e+3").unwrap().value(&known), Ok(2.5));
    }

    #[test]
    fn what_is_no_formula_is_refused() {
        for text in ["", "1 +", "(1", "1)", "a b", "* 2", "1..2", "2 ^ 3", "𝛼"] {
            assert!(Expression::read(text).is_err(), "{text}");
        }
        assert!(Expression::read("1 / 0").unwrap().value(&known).is_err());
        assert!(Expression::read("unknown").unwrap().value(&known).unwrap_err().contains("unknown"));
    }

    #[test]
    fn numbers_read_as_in_a_sum() {
        let shown =
            [0.0, 6.9333, 475.43e12, 39.375e9, 120.0, 0.17, 24_960.0, 2499.0, 8.0128, 327_680.0, 1.362].map(number);
        let expected =
            ["0", "6.9333", "475.43e12", "39.375e9", "120", "0.17", "24960", "2499", "8.0128", "327680", "1.362"];
        assert_eq!(shown, expected);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-+*/() a-z0-9.]{0,40}") {
            if let Ok(read) = Expression::read(&text) {
                let again = read.write(0, &str::to_owned).replace('×', "*").replace('÷', "/").replace('−', "-");
                prop_assert!(Expression::read(&again).is_ok(), "{} as {}", text, again);
            }
        }
    }
}
