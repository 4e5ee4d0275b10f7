use std::task::{Context, Poll};
use std::{collections::VecDeque, future::Future, pin::Pin, time::Duration};
use support::{check, each, measure_warm, tokio_pool, Program};
use tokio::time::Sleep;

const ARMED: usize = 1000;

/// Gives its timer back armed: Tokio arms one when it is polled first.
struct Arming(Option<Pin<Box<Sleep>>>);

impl Future for Arming {
    type Output = Pin<Box<Sleep>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut timer = self.0.take().expect("it is polled once");
        check(timer.as_mut().poll(context).is_ready(), false);
        Poll::Ready(timer)
    }
}

async fn arm_and_cancel(number: u64) {
    let mut timers = VecDeque::with_capacity(ARMED);
    for index in 0..number {
        if timers.len() == ARMED {
            timers.pop_front();
        }
        let timer = tokio::time::sleep(Duration::from_secs(1 + index % 60));
        timers.push_back(Arming(Some(Box::pin(timer))).await);
    }
}

fn main() {
    let mut program = Program::start("timeouts", "tokio");
    let number = program.count(1_000_000, 1);
    let pool = tokio_pool::start(program.workers());
    // With its budget, a task's polls would soon be put off instead of arming anything.
    let kernel = || tokio_pool::run(&pool, tokio::task::unconstrained(arm_and_cancel(number)));
    let ((), elapsed) = measure_warm(kernel);
    program.report("", each(elapsed, number), &[]);
    program.finish();
}
