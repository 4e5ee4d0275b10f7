use std::sync::atomic::{AtomicU64, Ordering};
use support::{check, each, measure_warm, rayon_pool, sizes, Program};

/// rayon has no handle of a spawned job: the scope joins them, and they add up their numbers.
fn spawn_all(number: u64) -> u64 {
    let sum = AtomicU64::new(0);
    rayon::scope(|scope| {
        for index in 0..number {
            let sum = &sum;
            scope.spawn(move |_| {
                sum.fetch_add(index, Ordering::Relaxed);
            });
        }
    });
    sum.into_inner()
}

fn main() {
    let mut program = Program::start("spawn_join", "rayon");
    let number = program.count(1_000_000, 1);
    let pool = rayon_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| pool.install(|| spawn_all(number)));
    check(answer, sizes::sum_below(number));
    program.report("", each(elapsed, number), &[]);
    program.finish();
}
