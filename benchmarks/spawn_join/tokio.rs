use support::{check, each, measure_warm, sizes, tokio_pool, Program};

async fn spawn_all(number: u64) -> u64 {
    let tasks: Vec<_> = (0..number)
        .map(|index| tokio::spawn(async move { index }))
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += tokio_pool::join(task).await;
    }
    sum
}

fn main() {
    let mut program = Program::start("spawn_join", "tokio");
    let number = program.count(1_000_000, 1);
    let pool = tokio_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| tokio_pool::run(&pool, spawn_all(number)));
    check(answer, sizes::sum_below(number));
    program.report("", each(elapsed, number), &[]);
    program.finish();
}
