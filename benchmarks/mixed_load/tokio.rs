use support::board::Board;
use support::load::{self, BOARD_SIZE};
use support::{tokio_pool, Program};

fn main() {
    let mut program = Program::start("mixed_load", "tokio");
    let pool = tokio_pool::start(program.workers());
    load::measure(
        &mut program,
        |series| {
            tokio_pool::run(&pool, async {
                let board = || tokio_pool::count_solutions(BOARD_SIZE, 0, Board::default());
                while series.goes_on(tokio_pool::join(tokio::spawn(board())).await) {}
            });
        },
        |task| {
            pool.spawn(async { task.run() });
        },
    );
    program.finish();
}
