use std::time::Instant;
use support::matrix::{multiply_leaf, Part, Problem, LEAF};
use support::{check, each, rayon_pool, Program};

fn multiply(c: Part, a: Part, b: Part) {
    if c.side() == LEAF {
        // SAFETY: the calls that run at the same time write to different quarters.
        return unsafe { multiply_leaf(c, a, b) };
    }
    let (c, a, b) = (c.quarters(), a.quarters(), b.quarters());
    for k in 0..2 {
        let quarter = |row: usize, column: usize| {
            multiply(c[2 * row + column], a[2 * row + k], b[2 * k + column]);
        };
        rayon::join(
            || rayon::join(|| quarter(0, 0), || quarter(0, 1)),
            || rayon::join(|| quarter(1, 0), || quarter(1, 1)),
        );
    }
}

fn main() {
    let mut program = Program::start("matmul", "rayon");
    let mut problem = Problem::new(&program);
    let pool = rayon_pool::start(program.workers());
    let mut run = || {
        problem.clear();
        let [c, a, b] = problem.parts();
        let start = Instant::now();
        pool.install(|| multiply(c, a, b));
        start.elapsed()
    };
    run();
    let elapsed = run();
    check(problem.is_solved(), true);
    program.report("", each(elapsed, 1), &[]);
    program.finish();
}
