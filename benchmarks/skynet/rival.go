package main

import bench "magpie.benchmarks/support"

// Above this depth, the kernel would take half a minute.
const limit = 6

func skynet(first, leaves int) int {
	if leaves == 1 {
		return first
	}
	results := make(chan int, 10)
	share := leaves / 10
	for child := 0; child < 10; child++ {
		from := first + child*share
		go func() { results <- skynet(from, share) }()
	}
	sum := 0
	for child := 0; child < 10; child++ {
		sum += <-results
	}
	return sum
}

func main() {
	program := bench.Start("skynet")
	full := program.SkynetDepth()
	depth := full
	if depth > limit {
		depth = limit
	}
	leaves := bench.SkynetLeaves(depth)
	answer, elapsed := bench.MeasureWarm(func() int { return skynet(0, leaves) })
	bench.Check(answer, bench.SumBelow(leaves))
	nodes := bench.SkynetNodes(depth)
	program.Report("", bench.Each(elapsed, nodes),
		bench.Counter{Name: "fraction", Value: float64(nodes) / float64(bench.SkynetNodes(full))})
	program.Finish()
}
