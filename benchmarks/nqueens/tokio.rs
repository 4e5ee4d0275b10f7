use support::board::{self, Board};
use support::{check, each, measure_warm, tokio_pool, Program};

fn main() {
    let mut program = Program::start("nqueens", "tokio");
    let size = board::size(&program);
    let pool = tokio_pool::start(program.workers());
    let search = || tokio_pool::count_solutions(size, 0, Board::default());
    let (answer, elapsed) = measure_warm(|| tokio_pool::run(&pool, search()));
    check(answer, board::solutions(size));
    program.report("", each(elapsed, 1), &[]);
    program.finish();
}
