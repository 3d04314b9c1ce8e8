//! The `spark-bench` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    spark_bench::cli::main()
}
