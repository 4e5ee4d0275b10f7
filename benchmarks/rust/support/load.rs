//! mixed_load: boards all the time, and small tasks from a thread outside beside them.

use crate::program::{check, percentile, Program};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The side of the boards.
pub const BOARD_SIZE: usize = 12;

const PERIOD: Duration = Duration::from_millis(1);
const COMPUTATION: Duration = Duration::from_micros(20);
const PATIENCE: Duration = Duration::from_secs(1);
const SHORTEST_PHASE: Duration = Duration::from_millis(500);

/// The boards of the computation that keeps the workers busy.
pub struct Series {
    state: Mutex<SeriesState>,
}

struct SeriesState {
    ends: Vec<Instant>,
    stopped: bool,
}

impl Series {
    fn new() -> Series {
        Series {
            state: Mutex::new(SeriesState {
                ends: Vec::new(),
                stopped: false,
            }),
        }
    }

    /// By the computation after each board, which had so many solutions: whether to do another.
    pub fn goes_on(&self, solutions: u64) -> bool {
        check(solutions, crate::board::solutions(BOARD_SIZE));
        let mut state = self.state.lock().expect("nobody panics");
        state.ends.push(Instant::now());
        !state.stopped
    }

    fn stop(&self) {
        self.state.lock().expect("nobody panics").stopped = true;
    }

    fn ends_since(&self, begin: Instant) -> Vec<Instant> {
        let state = self.state.lock().expect("nobody panics");
        state
            .ends
            .iter()
            .copied()
            .filter(|end| *end >= begin)
            .collect()
    }

    /// Seconds a board, of those that ended since `begin`; waits for the second if it has to.
    fn seconds_each(&self, begin: Instant) -> f64 {
        loop {
            let ends = self.ends_since(begin);
            if let [first, .., last] = ends[..] {
                return (last - first).as_secs_f64() / (ends.len() - 1) as f64;
            }
            sleep(PERIOD);
        }
    }
}

/// A task that computes for 20 us.
pub struct SmallTask {
    submitted: Instant,
    /// 0, then once the nanoseconds from submission to the end: stored (release) by the task, read
    /// (acquire) by the thread that submitted it.
    latency: AtomicU64,
}

impl SmallTask {
    /// To be submitted at once.
    fn new() -> SmallTask {
        SmallTask {
            submitted: Instant::now(),
            latency: AtomicU64::new(0),
        }
    }

    pub fn run(&self) {
        let start = Instant::now();
        while start.elapsed() < COMPUTATION {}
        self.latency.store(
            self.submitted.elapsed().as_nanos() as u64,
            Ordering::Release,
        );
    }

    fn has_ended(&self) -> bool {
        self.latency.load(Ordering::Acquire) != 0
    }

    fn latency_us(&self) -> f64 {
        self.latency.load(Ordering::Acquire) as f64 / 1e3
    }
}

/// What the thread outside sees.
struct Outcome {
    alone: f64,
    loaded: f64,
    lost: usize,
    tasks: Vec<&'static SmallTask>,
}

fn observe(phase: Duration, series: &Series, submit: impl Fn(&'static SmallTask)) -> Outcome {
    sleep(Duration::from_millis(200));
    let begin = Instant::now();
    sleep(phase);
    let alone = series.seconds_each(begin);
    let begin = Instant::now();
    let mut tasks = Vec::new();
    let mut due = Duration::ZERO;
    while due < phase {
        sleep(due.saturating_sub(begin.elapsed()));
        // The pool may hold on to it for longer than this function runs.
        let task: &'static SmallTask = Box::leak(Box::new(SmallTask::new()));
        submit(task);
        tasks.push(task);
        due += PERIOD;
    }
    let loaded = series.seconds_each(begin);
    sleep(PATIENCE);
    let lost = tasks.iter().filter(|task| !task.has_ended()).count();
    series.stop();
    Outcome {
        alone,
        loaded,
        lost,
        tasks,
    }
}

/// `compute` computes boards on the pool until the series stops, and blocks until then; `submit`
/// has the pool run a task.
pub fn measure(
    program: &mut Program,
    compute: impl Fn(&'static Series),
    submit: impl Fn(&'static SmallTask) + Sync,
) {
    let phase = program.duration(Duration::from_secs(10), SHORTEST_PHASE);
    let series: &'static Series = Box::leak(Box::new(Series::new()));
    let outcome = std::thread::scope(|scope| {
        let outside = scope.spawn(|| observe(phase, series, &submit));
        compute(series);
        outside.join().expect("nobody panics")
    });
    while !outcome.tasks.iter().all(|task| task.has_ended()) {
        sleep(PERIOD);
    }
    let mut latencies: Vec<f64> = outcome.tasks.iter().map(|task| task.latency_us()).collect();
    program.report(
        "",
        outcome.alone * 1e9,
        &[
            ("p50_us", percentile(&mut latencies, 0.5)),
            ("p99_us", percentile(&mut latencies, 0.99)),
            ("max_us", percentile(&mut latencies, 1.0)),
            ("lost", outcome.lost as f64),
            ("kept", outcome.alone / outcome.loaded),
        ],
    );
}
