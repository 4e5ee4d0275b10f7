//! Sizes and answers of the kernels that need no more than a formula.

use crate::Program;

/// The `n`th Fibonacci number, without recursion.
pub fn fib(n: u32) -> u64 {
    (0..n).fold((0, 1), |(this, next), _| (next, this + next)).0
}

/// Calls that the recursion makes for fib(n), itself included.
pub fn fib_calls(n: u32) -> u64 {
    2 * fib(n + 1) - 1
}

/// n of fib at the program's scale.
pub fn fib_size(program: &Program) -> u32 {
    37_u32.saturating_sub(program.steps(1.618)).max(10)
}

/// Depth of skynet's tree at the program's scale.
pub fn skynet_depth(program: &Program) -> u32 {
    7_u32.saturating_sub(program.steps(10.0)).max(2)
}

/// Nodes of a skynet of that depth.
pub fn skynet_nodes(depth: u32) -> u64 {
    (10_u64.pow(depth + 1) - 1) / 9
}

/// The sum of the numbers 0 to `count` - 1.
pub fn sum_below(count: u64) -> u64 {
    count * (count - 1) / 2
}
