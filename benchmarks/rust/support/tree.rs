//! The tree of uts: a node is its state, and its children follow from it.

use crate::Program;

const GAMMA: u64 = 0x9e3779b97f4a7c15;
const FULL_ROOT_CHILDREN: u64 = 2000;
const CHILDREN: u32 = 8;
/// 0.124875 * 2^64
const FERTILE_BELOW: u64 = 2303537166184475258;

/// splitmix64's finaliser.
#[inline]
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d049bb133111eb);
    x ^ (x >> 31)
}

/// The `index`th number of the sequence that all programs draw from.
pub fn draw(index: u64) -> u64 {
    mix(index.wrapping_mul(GAMMA))
}

#[derive(Clone, Copy)]
pub struct Node {
    state: u64,
    children: u32,
}

impl Node {
    pub fn root(program: &Program) -> Node {
        Node {
            state: draw(4),
            children: program.count(FULL_ROOT_CHILDREN, 2) as u32,
        }
    }

    pub fn children(&self) -> u32 {
        self.children
    }

    #[inline]
    pub fn child(&self, index: u32) -> Node {
        let state = mix(self
            .state
            .wrapping_add(u64::from(index + 1).wrapping_mul(GAMMA)));
        Node {
            state,
            children: if state < FERTILE_BELOW { CHILDREN } else { 0 },
        }
    }

    /// Nodes of the subtree, counted without any fork.
    pub fn count(&self) -> u64 {
        1 + (0..self.children)
            .map(|index| self.child(index).count())
            .sum::<u64>()
    }
}
