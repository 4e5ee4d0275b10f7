use support::tokio_pool::{self, Recursive};
use support::{check, each, measure_warm, sizes, Program};

/// Above this depth, the kernel would take half a minute.
const LIMIT: u32 = 6;

fn skynet(first: u64, leaves: u64) -> Recursive<u64> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let share = leaves / 10;
        let children: [_; 10] =
            std::array::from_fn(|child| tokio::spawn(skynet(first + child as u64 * share, share)));
        let mut sum = 0;
        for child in children {
            sum += tokio_pool::join(child).await;
        }
        sum
    })
}

fn main() {
    let mut program = Program::start("skynet", "tokio");
    let full = sizes::skynet_depth(&program);
    let depth = full.min(LIMIT);
    let leaves = 10_u64.pow(depth);
    let pool = tokio_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| tokio_pool::run(&pool, skynet(0, leaves)));
    check(answer, sizes::sum_below(leaves));
    let nodes = sizes::skynet_nodes(depth);
    let fraction = nodes as f64 / sizes::skynet_nodes(full) as f64;
    program.report("", each(elapsed, nodes), &[("fraction", fraction)]);
    program.finish();
}
