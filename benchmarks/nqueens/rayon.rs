use support::board::{self, Board};
use support::{check, each, measure_warm, rayon_pool, Program};

fn main() {
    let mut program = Program::start("nqueens", "rayon");
    let size = board::size(&program);
    let pool = rayon_pool::start(program.workers());
    let search = || rayon_pool::count_solutions(size, 0, Board::default());
    let (answer, elapsed) = measure_warm(|| pool.install(search));
    check(answer, board::solutions(size));
    program.report("", each(elapsed, 1), &[]);
    program.finish();
}
