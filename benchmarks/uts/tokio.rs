use support::tokio_pool::{self, Recursive};
use support::tree::Node;
use support::{check, each, measure_warm, Program};

fn count(node: Node) -> Recursive<u64> {
    Box::pin(async move {
        let children: Vec<_> = (0..node.children())
            .map(|index| tokio::spawn(count(node.child(index))))
            .collect();
        let mut sum = 1;
        for child in children {
            sum += tokio_pool::join(child).await;
        }
        sum
    })
}

fn main() {
    let mut program = Program::start("uts", "tokio");
    let root = Node::root(&program);
    let nodes = root.count();
    let pool = tokio_pool::start(program.workers());
    let (answer, elapsed) = measure_warm(|| tokio_pool::run(&pool, count(root)));
    check(answer, nodes);
    program.report("", each(elapsed, nodes), &[("nodes", nodes as f64)]);
    program.finish();
}
