//! Threads outside of the pool that give it work.

use crate::process::Usage;
use crate::program::{check, each, percentile, Program};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Barrier;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Wakes the thread that made it after so many arrivals.
pub struct Countdown {
    left: AtomicU64,
    waiting: Thread,
}

impl Countdown {
    fn new(number: u64) -> Countdown {
        Countdown {
            left: AtomicU64::new(number),
            waiting: thread::current(),
        }
    }

    pub fn arrive(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waiting.unpark();
        }
    }

    fn wait(&self) {
        while self.left.load(Ordering::Acquire) != 0 {
            thread::park();
        }
    }
}

/// foreign_submit: `submit` gives the pool one task that arrives at the countdown.
pub fn measure_submissions(program: &mut Program, submit: impl Fn(&'static Countdown) + Sync) {
    let total = program.count(1_000_000, 1);
    for producers in [1, 2, 4] {
        let run = || {
            // The last task may still look at it when this function has returned.
            let countdown: &'static Countdown = Box::leak(Box::new(Countdown::new(total)));
            let ready = Barrier::new(producers as usize + 1);
            let begin = Barrier::new(producers as usize + 1);
            thread::scope(|scope| {
                for producer in 0..producers {
                    let share = total / producers + u64::from(producer < total % producers);
                    let (ready, begin, submit) = (&ready, &begin, &submit);
                    scope.spawn(move || {
                        ready.wait();
                        begin.wait();
                        for _ in 0..share {
                            submit(countdown);
                        }
                    });
                }
                ready.wait();
                // Not later: the producers might be done before this thread runs again.
                let start = Instant::now();
                begin.wait();
                countdown.wait();
                start.elapsed()
            })
        };
        run();
        let elapsed = run();
        program.report(&format!("producers:{producers}"), each(elapsed, total), &[]);
    }
}

/// round_trip: `submit_and_wait` has a task give back its argument and blocks until then.
pub fn measure_round_trips(program: &mut Program, submit_and_wait: impl Fn(u64) -> u64) {
    for index in 0..1000 {
        check(submit_and_wait(index), index);
    }
    let mut trips: Vec<f64> = (0..program.count(100_000, 100))
        .map(|index| {
            let start = Instant::now();
            check(submit_and_wait(index), index);
            start.elapsed().as_nanos() as f64
        })
        .collect();
    let mean = trips.iter().sum::<f64>() / trips.len() as f64;
    program.report(
        "",
        mean,
        &[
            ("p50_us", percentile(&mut trips, 0.5) / 1e3),
            ("p99_us", percentile(&mut trips, 0.99) / 1e3),
        ],
    );
}

/// idle: `submit_empty` gives the pool a task that does nothing.
pub fn measure_idle(program: &mut Program, submit_empty: impl Fn()) {
    const PERIOD: Duration = Duration::from_millis(10);
    let phase = program.duration(Duration::from_secs(10), 10 * PERIOD);
    let mut report = |case: &str, tasks: u64, run: &dyn Fn()| {
        submit_empty();
        // What a pool does before it comes to rest.
        thread::sleep(Duration::from_millis(500));
        let (start, before) = (Instant::now(), Usage::now());
        run();
        let (usage, seconds) = (Usage::now().since(&before), start.elapsed().as_secs_f64());
        program.report(
            case,
            each(usage.cpu, tasks),
            &[
                ("cpu_us_per_s", usage.cpu.as_secs_f64() * 1e6 / seconds),
                ("switches_per_s", usage.voluntary_switches as f64 / seconds),
            ],
        );
    };
    report("nothing", 1, &|| thread::sleep(phase));
    let ticks = (phase.as_nanos() / PERIOD.as_nanos()) as u32;
    report("ticking", u64::from(ticks), &|| {
        let start = Instant::now();
        for tick in 0..ticks {
            thread::sleep((PERIOD * tick).saturating_sub(start.elapsed()));
            submit_empty();
        }
    });
}
