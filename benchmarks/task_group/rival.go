package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	bench "magpie.benchmarks/support"
)

var ended int64

func end(group *sync.WaitGroup) {
	atomic.AddInt64(&ended, 1)
	group.Done()
}

// Each returns how many bytes are resident when the last goroutine has been started.

func atOnce(number int) float64 {
	var group sync.WaitGroup
	for index := 0; index < number; index++ {
		group.Add(1)
		go end(&group)
	}
	bytes := bench.ResidentBytes()
	group.Wait()
	return bytes
}

func inTurn(number int) float64 {
	var group sync.WaitGroup
	for index := 0; index < number; index++ {
		group.Add(1)
		go end(&group)
		runtime.Gosched()
	}
	bytes := bench.ResidentBytes()
	group.Wait()
	return bytes
}

func main() {
	program := bench.Start("task_group")
	number := program.Count(1_000_000, 1)
	report := func(name string, run func(number int) float64) {
		each, bytes := bench.InChild(name, func() (float64, float64) {
			run(1)
			before := bench.ResidentBytes()
			bytes := run(number) - before
			ended = 0
			begin := time.Now()
			run(number)
			elapsed := time.Since(begin)
			bench.Check(ended, int64(number))
			return bench.Each(elapsed, number), bytes / float64(number)
		})
		program.Report(name, each, bench.Counter{Name: "bytes", Value: bytes})
	}
	report("in_turn", inTurn)
	report("at_once", atOnce)
	program.Finish()
}
