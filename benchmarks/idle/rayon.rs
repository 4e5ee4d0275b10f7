use support::{outside, rayon_pool, Program};

fn main() {
    let mut program = Program::start("idle", "rayon");
    let pool = rayon_pool::start(program.workers());
    outside::measure_idle(&mut program, || pool.spawn(|| {}));
    program.finish();
}
