use support::{outside, rayon_pool, Program};

fn main() {
    let mut program = Program::start("foreign_submit", "rayon");
    let pool = rayon_pool::start(program.workers());
    outside::measure_submissions(&mut program, |countdown| pool.spawn(|| countdown.arrive()));
    program.finish();
}
