use std::time::Instant;
use support::matrix::{multiply_leaf, Part, Problem, LEAF};
use support::tokio_pool::{self, Recursive};
use support::{check, each, Program};

fn multiply(c: Part, a: Part, b: Part) -> Recursive<()> {
    Box::pin(async move {
        if c.side() == LEAF {
            // SAFETY: the tasks that run at the same time write to different quarters.
            return unsafe { multiply_leaf(c, a, b) };
        }
        let (c, a, b) = (c.quarters(), a.quarters(), b.quarters());
        for k in 0..2 {
            let products = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(row, column)| {
                let (c, a, b) = (c[2 * row + column], a[2 * row + k], b[2 * k + column]);
                tokio::spawn(multiply(c, a, b))
            });
            for product in products {
                tokio_pool::join(product).await;
            }
        }
    })
}

fn main() {
    let mut program = Program::start("matmul", "tokio");
    let mut problem = Problem::new(&program);
    let pool = tokio_pool::start(program.workers());
    let mut run = || {
        problem.clear();
        let [c, a, b] = problem.parts();
        let start = Instant::now();
        tokio_pool::run(&pool, multiply(c, a, b));
        start.elapsed()
    };
    run();
    let elapsed = run();
    check(problem.is_solved(), true);
    program.report("", each(elapsed, 1), &[]);
    program.finish();
}
