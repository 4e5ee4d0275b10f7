use std::sync::Arc;
use support::{check, each, measure_warm, sizes, tokio_pool, Program};
use tokio::sync::Semaphore;

async fn map_ten_at_once(number: u64) -> u64 {
    let ten = Arc::new(Semaphore::new(10));
    let mut tasks = Vec::new();
    for index in 0..number {
        let permit = ten.clone().acquire_owned().await.expect("it stays open");
        tasks.push(tokio::spawn(async move {
            let _permit = permit;
            index
        }));
    }
    let mut sum = 0;
    for task in tasks {
        sum += tokio_pool::join(task).await;
    }
    sum
}

fn main() {
    let mut program = Program::start("limit_concurrency", "tokio");
    let number = program.count(1_000_000, 1);
    let pool = tokio_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| tokio_pool::run(&pool, map_ten_at_once(number)));
    check(answer, sizes::sum_below(number));
    program.report("", each(elapsed, number), &[]);
    program.finish();
}
