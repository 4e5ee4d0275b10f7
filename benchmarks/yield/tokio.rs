use std::sync::{
    atomic::{AtomicU64, Ordering},
    Arc,
};
use support::{each, measure_warm, tokio_pool, Program};

/// Yields so often, and counts after how many yields the other one had run.
async fn take_turns(this: u64, number: u64, last: Arc<AtomicU64>) -> u64 {
    let mut alternations = 0;
    for _ in 0..number {
        tokio::task::yield_now().await;
        if last.load(Ordering::Relaxed) != this {
            last.store(this, Ordering::Relaxed);
            alternations += 1;
        }
    }
    alternations
}

async fn both(number: u64) -> u64 {
    let last = Arc::new(AtomicU64::new(2));
    let tasks = [0, 1].map(|this| tokio::spawn(take_turns(this, number, last.clone())));
    let mut alternations = 0;
    for task in tasks {
        alternations += tokio_pool::join(task).await;
    }
    alternations
}

fn main() {
    let mut program = Program::start("yield", "tokio");
    let number = program.count(1_000_000, 1);
    let pool = tokio_pool::start(program.workers());
    let (alternations, elapsed) = measure_warm(|| tokio_pool::run(&pool, both(number)));
    let part = alternations as f64 / (2 * number) as f64;
    program.report("", each(elapsed, 2 * number), &[("alternating", part)]);
    program.finish();
}
