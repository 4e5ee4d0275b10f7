package main

import bench "magpie.benchmarks/support"

func count(node bench.Node) int {
	if node.Children == 0 {
		return 1
	}
	results := make(chan int, node.Children)
	for index := 0; index < node.Children; index++ {
		child := node.Child(index)
		go func() { results <- count(child) }()
	}
	nodes := 1
	for index := 0; index < node.Children; index++ {
		nodes += <-results
	}
	return nodes
}

func main() {
	program := bench.Start("uts")
	root := program.Root()
	nodes := root.Count()
	answer, elapsed := bench.MeasureWarm(func() int { return count(root) })
	bench.Check(answer, nodes)
	program.Report("", bench.Each(elapsed, nodes), bench.Counter{Name: "nodes", Value: float64(nodes)})
	program.Finish()
}
