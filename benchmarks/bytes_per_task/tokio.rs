use std::sync::{
    atomic::{AtomicU64, Ordering},
    Arc,
};
use std::time::{Duration, Instant};
use support::process::{in_child, resident_bytes};
use support::{check, tokio_pool, Program};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// The event, and how many have come to wait for it.
#[derive(Default)]
struct Gate {
    waiting: AtomicU64,
    event: Notify,
}

async fn wait(gate: Arc<Gate>) {
    // From here on, the notification cannot be missed.
    let notified = gate.event.notified();
    gate.waiting.fetch_add(1, Ordering::Relaxed);
    notified.await;
}

/// Bytes resident when all are suspended.
async fn suspended(gate: &Gate, number: u64) -> u64 {
    while gate.waiting.load(Ordering::Relaxed) != number {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    resident_bytes()
}

async fn spawned(number: u64) -> u64 {
    let gate = Arc::new(Gate::default());
    let tasks: Vec<JoinHandle<()>> = (0..number)
        .map(|_| tokio::spawn(wait(gate.clone())))
        .collect();
    let bytes = suspended(&gate, number).await;
    gate.event.notify_waiters();
    for task in tasks {
        tokio_pool::join(task).await;
    }
    bytes
}

/// Tokio has a set of tasks for children that are awaited together.
async fn children(number: u64) -> u64 {
    let gate = Arc::new(Gate::default());
    let mut tasks = JoinSet::new();
    for _ in 0..number {
        tasks.spawn(wait(gate.clone()));
    }
    let bytes = suspended(&gate, number).await;
    gate.event.notify_waiters();
    let mut ended = 0;
    while tasks.join_next().await.is_some() {
        ended += 1;
    }
    check(ended, number);
    bytes
}

fn main() {
    let mut program = Program::start("bytes_per_task", "tokio");
    let number = program.count(1_000_000, 1);
    let workers = program.workers();
    let measure = |of_children: bool| {
        let pool = tokio_pool::start(workers);
        tokio_pool::run(&pool, async {});
        let (start, before) = (Instant::now(), resident_bytes());
        let after = if of_children {
            tokio_pool::run(&pool, children(number))
        } else {
            tokio_pool::run(&pool, spawned(number))
        };
        let tasks = number as f64;
        let bytes = after.saturating_sub(before) as f64 / tasks;
        [start.elapsed().as_nanos() as f64 / tasks, bytes]
    };
    for (case, of_children) in [("child", true), ("spawned", false)] {
        let [each, bytes] = in_child(|| measure(of_children));
        program.report(case, each, &[("bytes", bytes)]);
    }
    program.finish();
}
