package main

import bench "magpie.benchmarks/support"

// Above this, the kernel would take minutes.
const limit = 31

func fib(n int) int {
	if n < 2 {
		return n
	}
	left := make(chan int, 1)
	go func() { left <- fib(n - 1) }()
	right := fib(n - 2)
	return <-left + right
}

func main() {
	program := bench.Start("fib")
	full := program.FibSize()
	n := full
	if n > limit {
		n = limit
	}
	answer, elapsed := bench.MeasureWarm(func() int { return fib(n) })
	bench.Check(answer, bench.Fib(n))
	calls := bench.FibCalls(n)
	program.Report("", bench.Each(elapsed, calls),
		bench.Counter{Name: "fraction", Value: float64(calls) / float64(bench.FibCalls(full))})
	program.Finish()
}
