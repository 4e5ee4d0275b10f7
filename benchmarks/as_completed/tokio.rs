use support::{check, each, measure_warm, sizes, tokio_pool, Program};
use tokio::task::JoinSet;

async fn take_each(number: u64) -> u64 {
    let mut tasks = JoinSet::new();
    for index in 0..number {
        tasks.spawn(async move { index });
    }
    let mut sum = 0;
    while let Some(ended) = tasks.join_next().await {
        sum += ended.expect("the task does not panic");
    }
    sum
}

fn main() {
    let mut program = Program::start("as_completed", "tokio");
    let pool = tokio_pool::start(program.workers());
    for (case, full) in [("hundred_thousand", 100_000), ("million", 1_000_000)] {
        let number = program.count(full, 1);
        let (answer, elapsed) = measure_warm(|| tokio_pool::run(&pool, take_each(number)));
        check(answer, sizes::sum_below(number));
        program.report(case, each(elapsed, number), &[]);
    }
    program.finish();
}
