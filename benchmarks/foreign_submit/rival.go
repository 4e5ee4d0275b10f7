package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	bench "magpie.benchmarks/support"
)

// submitAll has so many threads start goroutines until there were total, and waits for their end.
func submitAll(total, producers int) time.Duration {
	var left atomic.Int64
	left.Store(int64(total))
	ended := make(chan struct{})
	begin := make(chan struct{})
	var ready sync.WaitGroup
	for producer := 0; producer < producers; producer++ {
		share := total / producers
		if producer < total%producers {
			share++
		}
		ready.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			<-begin
			for ; share > 0; share-- {
				go func() {
					if left.Add(-1) == 0 {
						close(ended)
					}
				}()
			}
		}()
	}
	ready.Wait()
	start := time.Now()
	close(begin)
	<-ended
	return time.Since(start)
}

func main() {
	program := bench.Start("foreign_submit")
	total := program.Count(1_000_000, 1)
	for _, producers := range []int{1, 2, 4} {
		// Go has no threads beside its scheduler: a producer is a goroutine with a thread to itself,
		// and with a processor beside the workers'.
		runtime.GOMAXPROCS(program.Workers + producers)
		submitAll(total, producers)
		elapsed := submitAll(total, producers)
		program.Report(fmt.Sprint("producers:", producers), bench.Each(elapsed, total))
	}
	program.Finish()
}
