use support::{check, each, measure_warm, rayon_pool, sizes, Program};

fn fib(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (left, right) = rayon::join(|| fib(n - 1), || fib(n - 2));
    left + right
}

fn main() {
    let mut program = Program::start("fib", "rayon");
    let n = sizes::fib_size(&program);
    let pool = rayon_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| pool.install(|| fib(n)));
    check(answer, sizes::fib(n));
    program.report("", each(elapsed, sizes::fib_calls(n)), &[]);
    program.finish();
}
