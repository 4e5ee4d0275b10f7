//! rayon's pool of threads as the kernels use it.

use crate::board::Board;
use rayon::prelude::*;

/// A pool with so many workers.
pub fn start(workers: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .build()
        .expect("the pool can be built")
}

/// The solutions that extend `board`, which has queens in the rows before `row`.
///
/// rayon would by itself stop to fork when nobody steals; here each child is a fork of its own.
pub fn count_solutions(size: usize, row: usize, board: Board) -> u64 {
    if row == size {
        return 1;
    }
    (0..size)
        .into_par_iter()
        .with_max_len(1)
        .filter_map(|column| board.with(row, column))
        .map(|child| count_solutions(size, row + 1, child))
        .sum()
}
