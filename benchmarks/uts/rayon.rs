use rayon::prelude::*;
use support::tree::Node;
use support::{check, each, measure_warm, rayon_pool, Program};

/// rayon would by itself stop to fork when nobody steals; here each child is a fork of its own.
fn count(node: Node) -> u64 {
    1 + (0..node.children())
        .into_par_iter()
        .with_max_len(1)
        .map(|index| count(node.child(index)))
        .sum::<u64>()
}

fn main() {
    let mut program = Program::start("uts", "rayon");
    let root = Node::root(&program);
    let nodes = root.count();
    let pool = rayon_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| pool.install(|| count(root)));
    check(answer, nodes);
    program.report("", each(elapsed, nodes), &[("nodes", nodes as f64)]);
    program.finish();
}
