//! The boards of nqueens.

use crate::Program;

const MOST: usize = 13;

/// The column of each row's queen.
#[derive(Clone, Copy, Default)]
pub struct Board {
    columns: [u8; MOST],
}

impl Board {
    /// The board with a queen more, unless one of an earlier row attacks it.
    #[inline]
    pub fn with(&self, row: usize, column: usize) -> Option<Board> {
        for other in 0..row {
            let distance = row - other;
            let place = self.columns[other] as usize;
            if place == column || place == column + distance || place + distance == column {
                return None;
            }
        }
        let mut child = *self;
        child.columns[row] = column as u8;
        Some(child)
    }
}

/// The side of the board at the program's scale.
pub fn size(program: &Program) -> usize {
    MOST - program.steps(5.0).min(7) as usize
}

/// How many ways there are to place `size` queens.
pub fn solutions(size: usize) -> u64 {
    [1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712][size]
}
