use support::board::Board;
use support::load::{self, BOARD_SIZE};
use support::{rayon_pool, Program};

fn main() {
    let mut program = Program::start("mixed_load", "rayon");
    let pool = rayon_pool::start(program.workers());
    load::measure(
        &mut program,
        |series| {
            pool.install(|| {
                let board = || rayon_pool::count_solutions(BOARD_SIZE, 0, Board::default());
                while series.goes_on(board()) {}
            });
        },
        |task| pool.spawn(|| task.run()),
    );
    program.finish();
}
