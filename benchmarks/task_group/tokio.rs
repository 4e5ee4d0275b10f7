use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use support::process::{in_child, resident_bytes};
use support::{check, each, tokio_pool, Program};
use tokio::task::{yield_now, JoinSet};

static ENDED: AtomicU64 = AtomicU64::new(0);

async fn end() {
    ENDED.fetch_add(1, Ordering::Relaxed);
}

// Each returns how many bytes are resident when the last task has been spawned.

/// The set keeps a task that has ended until it is joined.
async fn at_once(number: u64) -> u64 {
    let mut group = JoinSet::new();
    for _ in 0..number {
        group.spawn(end());
    }
    let bytes = resident_bytes();
    while group.join_next().await.is_some() {}
    bytes
}

async fn in_turn(number: u64) -> u64 {
    let mut group = JoinSet::new();
    for _ in 0..number {
        group.spawn(end());
        yield_now().await;
    }
    let bytes = resident_bytes();
    while group.join_next().await.is_some() {}
    bytes
}

async fn without_a_group(number: u64) -> u64 {
    let tasks: Vec<_> = (0..number).map(|_| tokio::spawn(end())).collect();
    let bytes = resident_bytes();
    for task in tasks {
        tokio_pool::join(task).await;
    }
    bytes
}

fn main() {
    let mut program = Program::start("task_group", "tokio");
    let number = program.count(1_000_000, 1);
    let workers = program.workers();
    let measure = |case: &str| {
        let pool = tokio_pool::start(workers);
        let run = |number| match case {
            "in_turn" => tokio_pool::run(&pool, in_turn(number)),
            "at_once" => tokio_pool::run(&pool, at_once(number)),
            _ => tokio_pool::run(&pool, without_a_group(number)),
        };
        run(1);
        let before = resident_bytes();
        let bytes = run(number).saturating_sub(before) as f64 / number as f64;
        ENDED.store(0, Ordering::Relaxed);
        let start = Instant::now();
        run(number);
        let elapsed = start.elapsed();
        check(ENDED.load(Ordering::Relaxed), number);
        [each(elapsed, number), bytes]
    };
    for case in ["in_turn", "at_once", "without_a_group"] {
        let [each, bytes] = in_child(|| measure(case));
        program.report(case, each, &[("bytes", bytes)]);
    }
    program.finish();
}
