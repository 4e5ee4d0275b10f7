use support::{outside, tokio_pool, Program};

fn main() {
    let mut program = Program::start("idle", "tokio");
    let pool = tokio_pool::start(program.workers());
    outside::measure_idle(&mut program, || {
        pool.spawn(async {});
    });
    program.finish();
}
