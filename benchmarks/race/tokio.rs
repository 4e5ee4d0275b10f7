use support::{check, each, measure_warm, tokio_pool, Program};

async fn number(value: u64) -> u64 {
    value
}

/// The contenders are futures inside the caller, not tasks. The loser is dropped.
async fn race_often(count: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..count {
        sum += tokio::select! {
            first = number(1) => first,
            second = number(2) => second,
        };
    }
    sum
}

fn main() {
    let mut program = Program::start("race", "tokio");
    let count = program.count(1_000_000, 1);
    let pool = tokio_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| tokio_pool::run(&pool, race_often(count)));
    check((count..=2 * count).contains(&answer), true);
    program.report("", each(elapsed, count), &[]);
    program.finish();
}
