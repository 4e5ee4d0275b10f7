package main

import (
	"runtime"
	"time"

	bench "magpie.benchmarks/support"
)

func call(number int) int {
	result := make(chan int, 1)
	go func() { result <- number }()
	return <-result
}

func main() {
	program := bench.Start("round_trip")
	// With a thread to itself, this goroutine blocks a thread whenever it waits.
	runtime.LockOSThread()
	for number := 0; number < 1000; number++ {
		bench.Check(call(number), number)
	}
	trips := make([]float64, program.Count(100_000, 100))
	begin := time.Now()
	before := begin
	for number := range trips {
		bench.Check(call(number), number)
		after := time.Now()
		trips[number] = bench.Microseconds(after.Sub(before))
		before = after
	}
	program.Report("", bench.Each(before.Sub(begin), len(trips)),
		bench.Counter{Name: "p50_us", Value: bench.Percentile(trips, 0.5)},
		bench.Counter{Name: "p99_us", Value: bench.Percentile(trips, 0.99)})
	program.Finish()
}
