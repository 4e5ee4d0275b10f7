package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	bench "magpie.benchmarks/support"
)

// worstLateness sleeps a millisecond again and again, until isOver(). It gives the worst lateness
// before that.
func worstLateness(isOver func() bool) float64 {
	worst := 0.0
	for {
		begin := time.Now()
		time.Sleep(time.Millisecond)
		if isOver() {
			return worst
		}
		worst = max(worst, bench.Microseconds(time.Since(begin)-time.Millisecond))
	}
}

func max(a, b float64) float64 {
	if a > b {
		return a
	}
	return b
}

func timeOut(size int) (time.Duration, float64, float64) {
	limit, cancel := context.WithCancel(context.Background())
	defer cancel()
	var begun, ended int64
	var tasks sync.WaitGroup
	tasks.Add(size)
	for i := 0; i < size; i++ {
		go func() {
			atomic.AddInt64(&begun, 1)
			timer := time.NewTimer(1000 * time.Hour)
			select {
			case <-timer.C:
			case <-limit.Done():
				timer.Stop()
				atomic.AddInt64(&ended, 1)
			}
			tasks.Done()
		}()
	}
	for atomic.LoadInt64(&begun) != int64(size) {
		time.Sleep(time.Millisecond)
	}
	idleUntil := time.Now().Add(300 * time.Millisecond)
	idle := worstLateness(func() bool { return !time.Now().Before(idleUntil) })
	begin := time.Now().Add(time.Millisecond)
	time.AfterFunc(time.Millisecond, cancel)
	late := worstLateness(func() bool { return atomic.LoadInt64(&ended) == int64(size) })
	elapsed := time.Since(begin)
	tasks.Wait()
	return elapsed, late, idle
}

func main() {
	program := bench.Start("timed_out_crowd")
	size := program.Count(200_000, 1)
	timeOut(size)
	elapsed, late, idle := timeOut(size)
	program.Report("", bench.Each(elapsed, size), bench.Counter{Name: "late_max_us", Value: late},
		bench.Counter{Name: "idle_max_us", Value: idle})
	program.Finish()
}
