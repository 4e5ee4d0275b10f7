//! What the Rust programs share: the command line, the report, and the problems that more than one
//! of them computes. benchmarks/README.md describes the protocol and the kernels.

pub mod board;
pub mod load;
pub mod matrix;
pub mod outside;
pub mod process;
pub mod program;
pub mod rayon_pool;
pub mod sizes;
pub mod tokio_pool;
pub mod tree;

pub use program::{check, each, measure_warm, percentile, Program};
