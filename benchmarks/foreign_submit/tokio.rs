use support::{outside, tokio_pool, Program};

fn main() {
    let mut program = Program::start("foreign_submit", "tokio");
    let pool = tokio_pool::start(program.workers());
    outside::measure_submissions(&mut program, |countdown| {
        pool.spawn(async { countdown.arrive() });
    });
    program.finish();
}
