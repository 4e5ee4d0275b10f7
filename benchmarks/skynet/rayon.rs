use rayon::prelude::*;
use support::{check, each, measure_warm, rayon_pool, sizes, Program};

/// rayon would by itself stop to fork when nobody steals; here each child is a fork of its own.
fn skynet(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let share = leaves / 10;
    (0..10_u32)
        .into_par_iter()
        .with_max_len(1)
        .map(|child| skynet(first + u64::from(child) * share, share))
        .sum()
}

fn main() {
    let mut program = Program::start("skynet", "rayon");
    let depth = sizes::skynet_depth(&program);
    let leaves = 10_u64.pow(depth);
    let pool = rayon_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| pool.install(|| skynet(0, leaves)));
    check(answer, sizes::sum_below(leaves));
    program.report("", each(elapsed, sizes::skynet_nodes(depth)), &[]);
    program.finish();
}
