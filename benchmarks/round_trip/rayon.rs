use support::{outside, rayon_pool, Program};

fn main() {
    let mut program = Program::start("round_trip", "rayon");
    let pool = rayon_pool::start(program.workers());
    outside::measure_round_trips(&mut program, |number| pool.install(|| number));
    program.finish();
}
