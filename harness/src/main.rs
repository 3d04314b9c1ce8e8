//! The `spark-bench` program.
fn main() {}
