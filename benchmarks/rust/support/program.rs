//! A program's command line, the sizes that follow from the scale, and the report at its end.

use std::fmt::{Debug, Write};
use std::time::{Duration, Instant};

/// One run of one kernel by one rival.
pub struct Program {
    kernel: &'static str,
    rival: &'static str,
    workers: usize,
    scale: f64,
    entries: Vec<String>,
}

impl Program {
    /// Reads the command line and the scale; ends the process if it cannot make sense of them.
    pub fn start(kernel: &'static str, rival: &'static str) -> Program {
        let mut workers = 1;
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let value = match argument.strip_prefix("--workers=") {
                Some(value) => Some(value.to_string()),
                None if argument == "--workers" => arguments.next(),
                None => None,
            };
            workers = match value.and_then(|text| text.parse().ok()) {
                Some(number) => number,
                None => misused(&format!("cannot make sense of {argument}; use --workers N")),
            };
        }
        if workers < 1 {
            misused("at least one worker is needed");
        }
        let scale = match std::env::var("MAGPIE_BENCH_SCALE") {
            Ok(text) => match text.parse::<f64>() {
                Ok(scale) if scale > 0.0 && scale <= 1.0 => scale,
                _ => misused("MAGPIE_BENCH_SCALE is not a number in (0, 1]"),
            },
            Err(_) => 1.0,
        };
        Program {
            kernel,
            rival,
            workers,
            scale,
            entries: Vec::new(),
        }
    }

    pub fn workers(&self) -> usize {
        self.workers
    }

    /// `full` times the scale, at least `least`.
    pub fn count(&self, full: u64, least: u64) -> u64 {
        ((full as f64 * self.scale).round() as u64).max(least)
    }

    /// `full` times the scale, at least `least`.
    pub fn duration(&self, full: Duration, least: Duration) -> Duration {
        full.mul_f64(self.scale).max(least)
    }

    /// How often a size has to shrink by `factor` in work until it is the scale's.
    pub fn steps(&self, factor: f64) -> u32 {
        // The subtraction keeps 1/1000 at three steps of ten in spite of rounding.
        ((1.0 / self.scale).ln() / factor.ln() - 1e-9)
            .ceil()
            .max(0.0) as u32
    }

    /// Adds an entry: `each` is the time of one operation in nanoseconds, `case` may be empty.
    pub fn report(&mut self, case: &str, each: f64, counters: &[(&str, f64)]) {
        let slash = if case.is_empty() { "" } else { "/" };
        let name = format!(
            "{}/{}{slash}{case}/workers:{}",
            self.kernel, self.rival, self.workers
        );
        let mut entry = format!(
            "{{\"name\": \"{name}\", \"run_type\": \"iteration\", \"iterations\": 1, \
             \"real_time\": {each}, \"time_unit\": \"ns\""
        );
        for (counter, value) in counters {
            write!(entry, ", \"{counter}\": {value}").expect("writing to a string cannot fail");
        }
        entry.push('}');
        self.entries.push(entry);
    }

    /// Prints the document.
    pub fn finish(self) {
        println!("{{\"benchmarks\": [\n  {}\n]}}", self.entries.join(",\n  "));
    }
}

fn misused(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(2);
}

/// Ends the process with status 1 unless both are equal.
pub fn check<Value: PartialEq + Debug>(actual: Value, expected: Value) {
    if actual != expected {
        eprintln!("WRONG ANSWER: {actual:?}, not {expected:?}");
        std::process::exit(1);
    }
}

/// Runs `kernel` twice and gives the second run's answer and time.
pub fn measure_warm<Answer>(mut kernel: impl FnMut() -> Answer) -> (Answer, Duration) {
    kernel();
    let start = Instant::now();
    let answer = kernel();
    (answer, start.elapsed())
}

/// Nanoseconds of one of `operations`.
pub fn each(elapsed: Duration, operations: u64) -> f64 {
    elapsed.as_nanos() as f64 / operations as f64
}

/// `part` of the values are at most the one returned. Sorts them; there is at least one.
pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (part * values.len() as f64).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}
