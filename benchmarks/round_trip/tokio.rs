use support::{outside, tokio_pool, Program};

fn main() {
    let mut program = Program::start("round_trip", "tokio");
    let pool = tokio_pool::start(program.workers());
    outside::measure_round_trips(&mut program, |number| {
        tokio_pool::run(&pool, async move { number })
    });
    program.finish();
}
