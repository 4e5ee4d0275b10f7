package main

import bench "magpie.benchmarks/support"

func main() {
	program := bench.Start("nqueens")
	size := program.BoardSize()
	answer, elapsed := bench.MeasureWarm(func() int {
		return bench.CountSolutions(size, 0, bench.Board{})
	})
	bench.Check(answer, bench.Solutions(size))
	program.Report("", bench.Each(elapsed, 1))
	program.Finish()
}
