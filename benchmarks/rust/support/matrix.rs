//! Square matrices that fall into quarters, for matmul.

use crate::Program;

/// The side at which a product is computed without further forks.
pub const LEAF: usize = 64;

/// A square part of a matrix that somebody else owns, with that matrix's distance between rows.
///
/// Forked products write to parts that do not overlap, which the borrow checker cannot see through
/// eight recursive calls: hence the pointer.
#[derive(Clone, Copy)]
pub struct Part {
    first: *mut f64,
    stride: usize,
    side: usize,
}

// SAFETY: the programs fork only products whose written parts are disjoint.
unsafe impl Send for Part {}
unsafe impl Sync for Part {}

impl Part {
    #[inline]
    pub fn side(&self) -> usize {
        self.side
    }

    /// The quarters from left to right, then from top to bottom.
    #[inline]
    pub fn quarters(&self) -> [Part; 4] {
        let half = self.side / 2;
        let at = |row: usize, column: usize| Part {
            // SAFETY: both offsets lie inside of this part.
            first: unsafe { self.first.add(row * half * self.stride + column * half) },
            stride: self.stride,
            side: half,
        };
        [at(0, 0), at(0, 1), at(1, 0), at(1, 1)]
    }
}

/// Adds `a` times `b`, both of side LEAF, to `c`.
///
/// # Safety
/// The caller alone may touch `c`, and nobody may write to `a` and `b`.
#[inline]
pub unsafe fn multiply_leaf(c: Part, a: Part, b: Part) {
    for i in 0..LEAF {
        let sums = &mut *(c.first.add(i * c.stride) as *mut [f64; LEAF]);
        for k in 0..LEAF {
            let factor = *a.first.add(i * a.stride + k);
            let values = &*(b.first.add(k * b.stride) as *const [f64; LEAF]);
            for j in 0..LEAF {
                // C++ contracts this by default; Rust does so only if told.
                sums[j] = if cfg!(target_feature = "fma") {
                    factor.mul_add(values[j], sums[j])
                } else {
                    sums[j] + factor * values[j]
                };
            }
        }
    }
}

/// The two factors and the product.
pub struct Problem {
    side: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
}

impl Problem {
    pub fn new(program: &Program) -> Problem {
        let side = 1024 >> program.steps(8.0).min(3);
        let fill = |entry: fn(usize, usize) -> f64| {
            (0..side * side)
                .map(|index| entry(index / side, index % side))
                .collect::<Vec<_>>()
        };
        Problem {
            side,
            a: fill(|i, j| ((7 * i + 3 * j) % 11) as f64 - 5.0),
            b: fill(|i, j| ((5 * i + 2 * j) % 13) as f64 - 6.0),
            c: vec![0.0; side * side],
        }
    }

    pub fn clear(&mut self) {
        self.c.fill(0.0);
    }

    /// C, A and B.
    pub fn parts(&mut self) -> [Part; 3] {
        let side = self.side;
        let part = |matrix: &mut Vec<f64>| Part {
            first: matrix.as_mut_ptr(),
            stride: side,
            side,
        };
        [&mut self.c, &mut self.a, &mut self.b].map(part)
    }

    /// C x = A (B x) for one vector x; all sums are whole and exact.
    pub fn is_solved(&self) -> bool {
        let apply = |matrix: &[f64], vector: &[f64]| {
            matrix
                .chunks(self.side)
                .map(|row| row.iter().zip(vector).map(|(m, x)| m * x).sum())
                .collect::<Vec<f64>>()
        };
        let vector: Vec<f64> = (0..self.side).map(|j| (j % 7) as f64 - 3.0).collect();
        apply(&self.c, &vector) == apply(&self.a, &apply(&self.b, &vector))
    }
}
