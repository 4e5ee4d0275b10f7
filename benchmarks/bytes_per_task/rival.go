package main

import (
	"sync"
	"sync/atomic"
	"time"

	bench "magpie.benchmarks/support"
)

// measure has start make number goroutines that call wait, and joins them by what start returned.
func measure(number int, start func(wait func()) (join func())) (each, bytes float64) {
	event := make(chan struct{})
	var waiting atomic.Int64
	wait := func() {
		waiting.Add(1)
		<-event
	}
	before, begin := bench.ResidentBytes(), time.Now()
	join := start(wait)
	for waiting.Load() != int64(number) {
		time.Sleep(time.Millisecond)
	}
	bytes = (bench.ResidentBytes() - before) / float64(number)
	close(event)
	join()
	return bench.Each(time.Since(begin), number), bytes
}

func main() {
	program := bench.Start("bytes_per_task")
	number := program.Count(1_000_000, 1)
	asChildren := func(wait func()) func() {
		var children sync.WaitGroup
		children.Add(number)
		for index := 0; index < number; index++ {
			go func() {
				wait()
				children.Done()
			}()
		}
		return children.Wait
	}
	// A channel for each goroutine is its handle.
	withHandles := func(wait func()) func() {
		tasks := make([]chan struct{}, number)
		for index := range tasks {
			ended := make(chan struct{})
			tasks[index] = ended
			go func() {
				wait()
				close(ended)
			}()
		}
		return func() {
			for _, ended := range tasks {
				<-ended
			}
		}
	}
	report := func(benchCase string, start func(wait func()) func()) {
		each, bytes := bench.InChild(benchCase, func() (float64, float64) {
			return measure(number, start)
		})
		program.Report(benchCase, each, bench.Counter{Name: "bytes", Value: bytes})
	}
	report("child", asChildren)
	report("spawned", withHandles)
	program.Finish()
}
