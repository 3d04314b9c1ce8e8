//! The crate's front page is its README.
