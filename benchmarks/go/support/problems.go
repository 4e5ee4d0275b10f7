package support

import "math"

func atLeast(least, value int) int {
	if value < least {
		return least
	}
	return value
}

// Fib gives the nth Fibonacci number, without recursion.
func Fib(n int) int {
	here, next := 0, 1
	for ; n > 0; n-- {
		here, next = next, here+next
	}
	return here
}

// FibCalls gives the calls that the recursion makes for fib(n), itself included.
func FibCalls(n int) int { return 2*Fib(n+1) - 1 }

// FibSize is n of fib at the program's scale.
func (p *Program) FibSize() int { return atLeast(10, 37-p.Steps(1.618)) }

// SkynetDepth is the depth of skynet's tree at the program's scale.
func (p *Program) SkynetDepth() int { return atLeast(2, 7-p.Steps(10)) }

// SkynetLeaves gives the leaves of a skynet of that depth.
func SkynetLeaves(depth int) int { return int(math.Pow10(depth)) }

// SkynetNodes gives the nodes of a skynet of that depth.
func SkynetNodes(depth int) int { return (SkynetLeaves(depth+1) - 1) / 9 }

// SumBelow gives the sum of the numbers 0 to count - 1.
func SumBelow(count int) int { return count * (count - 1) / 2 }

const mostQueens = 13

// Board has the column of each row's queen.
type Board [mostQueens]uint8

// IsSafe says that no queen of an earlier row attacks this place.
func (b *Board) IsSafe(row, column int) bool {
	for other := 0; other < row; other++ {
		distance := row - other
		place := int(b[other])
		if place == column || place == column+distance || place+distance == column {
			return false
		}
	}
	return true
}

// With gives this board with one queen more.
func (b Board) With(row, column int) Board {
	b[row] = uint8(column)
	return b
}

// BoardSize is the side of nqueens' board at the program's scale.
func (p *Program) BoardSize() int { return atLeast(6, mostQueens-p.Steps(5)) }

// Solutions gives how many ways there are to place so many queens.
func Solutions(size int) int {
	return [...]int{1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712}[size]
}

// CountSolutions gives the solutions that extend a board with queens in the rows before row, by a
// goroutine for each child.
func CountSolutions(size, row int, board Board) int {
	if row == size {
		return 1
	}
	results := make(chan int, size)
	children := 0
	for column := 0; column < size; column++ {
		if board.IsSafe(row, column) {
			children++
			child := board.With(row, column)
			go func() { results <- CountSolutions(size, row+1, child) }()
		}
	}
	sum := 0
	for ; children > 0; children-- {
		sum += <-results
	}
	return sum
}

const gamma = 0x9e3779b97f4a7c15

// Mix is splitmix64's finaliser.
func Mix(bits uint64) uint64 {
	bits ^= bits >> 30
	bits *= 0xbf58476d1ce4e5b9
	bits ^= bits >> 27
	bits *= 0x94d049bb133111eb
	return bits ^ bits>>31
}

// Draw gives the indexth number of the sequence that all programs draw from.
func Draw(index int) uint64 { return Mix(uint64(index) * gamma) }

// Node is one of the tree of uts: its children follow from its state.
type Node struct {
	state    uint64
	Children int
}

// Root is the root of the tree at the program's scale.
func (p *Program) Root() Node { return Node{Draw(4), p.Count(2000, 2)} }

// Child gives a child.
func (n Node) Child(index int) Node {
	child := Node{state: Mix(n.state + uint64(index+1)*gamma)}
	// 0.124875 * 2^64
	if child.state < 2303537166184475258 {
		child.Children = 8
	}
	return child
}

// Count gives the nodes of the subtree, without any fork.
func (n Node) Count() int {
	nodes := 1
	for index := 0; index < n.Children; index++ {
		nodes += n.Child(index).Count()
	}
	return nodes
}
