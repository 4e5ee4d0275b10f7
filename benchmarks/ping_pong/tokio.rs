use support::{check, each, measure_warm, tokio_pool, Program};
use tokio::sync::mpsc;

/// Hands a number to and fro, each time one larger; gives the last one.
async fn play(round_trips: u64) -> u64 {
    let (to_other, mut from_this) = mpsc::channel::<u64>(1);
    let (to_this, mut from_other) = mpsc::channel::<u64>(1);
    let other = tokio::spawn(async move {
        while let Some(number) = from_this.recv().await {
            to_this
                .send(number + 1)
                .await
                .expect("the first task receives");
        }
    });
    let this = tokio::spawn(async move {
        let mut number = 0;
        for _ in 0..round_trips {
            to_other
                .send(number + 1)
                .await
                .expect("the second task receives");
            number = from_other.recv().await.expect("the second task sends");
        }
        number
    });
    let number = tokio_pool::join(this).await;
    tokio_pool::join(other).await;
    number
}

fn main() {
    let mut program = Program::start("ping_pong", "tokio");
    let round_trips = program.count(500_000, 1);
    let pool = tokio_pool::start(program.workers());
    let (number, elapsed) = measure_warm(|| tokio_pool::run(&pool, play(round_trips)));
    check(number, 2 * round_trips);
    program.report("", each(elapsed, 2 * round_trips), &[]);
    program.finish();
}
