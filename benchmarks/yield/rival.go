package main

import (
	"runtime"
	"sync/atomic"

	bench "magpie.benchmarks/support"
)

// takeTurns yields so often, and counts after how many yields the other one had run.
func takeTurns(this int32, number int, last *atomic.Int32) int {
	alternations := 0
	for ; number > 0; number-- {
		runtime.Gosched()
		if last.Load() != this {
			last.Store(this)
			alternations++
		}
	}
	return alternations
}

func main() {
	program := bench.Start("yield")
	number := program.Count(1_000_000, 1)
	alternations, elapsed := bench.MeasureWarm(func() int {
		var last atomic.Int32
		results := make(chan int, 2)
		for _, this := range []int32{1, 2} {
			this := this
			go func() { results <- takeTurns(this, number, &last) }()
		}
		return <-results + <-results
	})
	program.Report("", bench.Each(elapsed, 2*number),
		bench.Counter{Name: "alternating", Value: float64(alternations) / float64(2*number)})
	program.Finish()
}
