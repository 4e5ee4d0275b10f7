use support::tokio_pool::{self, Recursive};
use support::{check, each, measure_warm, sizes, Program};

/// Above this, the kernel would take minutes.
const LIMIT: u32 = 31;

fn fib(n: u32) -> Recursive<u64> {
    Box::pin(async move {
        if n < 2 {
            return u64::from(n);
        }
        let left = tokio::spawn(fib(n - 1));
        let right = fib(n - 2).await;
        tokio_pool::join(left).await + right
    })
}

fn main() {
    let mut program = Program::start("fib", "tokio");
    let full = sizes::fib_size(&program);
    let n = full.min(LIMIT);
    let pool = tokio_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| tokio_pool::run(&pool, fib(n)));
    check(answer, sizes::fib(n));
    let calls = sizes::fib_calls(n);
    let fraction = calls as f64 / sizes::fib_calls(full) as f64;
    program.report("", each(elapsed, calls), &[("fraction", fraction)]);
    program.finish();
}
