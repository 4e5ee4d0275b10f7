use std::time::{Duration, Instant};
use support::{check, each, percentile, process::Usage, tokio_pool, tree, Program};

/// Gives the lateness in microseconds.
async fn one(index: u64) -> f64 {
    let length = Duration::from_micros(1000 + tree::draw(index) % 999_001);
    let start = Instant::now();
    tokio::time::sleep(length).await;
    let elapsed = start.elapsed();
    check(elapsed >= length, true);
    (elapsed - length).as_nanos() as f64 / 1e3
}

async fn all(number: u64) -> Vec<f64> {
    let tasks: Vec<_> = (0..number).map(|index| tokio::spawn(one(index))).collect();
    let mut lateness = Vec::with_capacity(tasks.len());
    for task in tasks {
        lateness.push(tokio_pool::join(task).await);
    }
    lateness
}

fn main() {
    let mut program = Program::start("sleeps", "tokio");
    let number = program.count(100_000, 1);
    let pool = tokio_pool::start(program.workers());
    let (start, before) = (Instant::now(), Usage::now());
    let mut lateness = tokio_pool::run(&pool, all(number));
    let (usage, elapsed) = (Usage::now().since(&before), start.elapsed());
    program.report(
        "",
        each(elapsed, number),
        &[
            ("cpu_us", each(usage.cpu, number) / 1e3),
            ("late_p50_us", percentile(&mut lateness, 0.5)),
            ("late_p99_us", percentile(&mut lateness, 0.99)),
        ],
    );
    program.finish();
}
