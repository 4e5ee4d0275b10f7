//! Tokio's pool of threads as the kernels use it.

use crate::board::Board;
use std::{future::Future, pin::Pin};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// A pool with so many workers, and with timers.
pub fn start(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_time()
        .build()
        .expect("the runtime can be built")
}

/// Runs `task` on a worker, where `Runtime::block_on` alone would run it on this thread.
pub fn run<Answer: Send + 'static>(
    pool: &Runtime,
    task: impl Future<Output = Answer> + Send + 'static,
) -> Answer {
    pool.block_on(pool.spawn(task))
        .expect("the task does not panic")
}

/// Waits for a spawned task.
pub async fn join<Answer>(task: JoinHandle<Answer>) -> Answer {
    task.await.expect("the task does not panic")
}

/// A future that may contain others of its own kind.
pub type Recursive<Answer> = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The solutions that extend `board`, which has queens in the rows before `row`.
pub fn count_solutions(size: usize, row: usize, board: Board) -> Recursive<u64> {
    Box::pin(async move {
        if row == size {
            return 1;
        }
        let children: Vec<_> = (0..size)
            .filter_map(|column| board.with(row, column))
            .map(|child| tokio::spawn(count_solutions(size, row + 1, child)))
            .collect();
        let mut sum = 0;
        for child in children {
            sum += join(child).await;
        }
        sum
    })
}
