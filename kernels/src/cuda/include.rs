//! The headers that `.cu` files may include: our own, embedded, each under its bare name.

/// Name and text of every header in `include/`.
pub const HEADERS: &[(&str, &str)] = &[];
