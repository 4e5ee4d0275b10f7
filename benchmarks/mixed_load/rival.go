package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	bench "magpie.benchmarks/support"
)

const (
	boardSize = 12
	period    = time.Millisecond
)

// series has the boards of the computation that keeps the workers busy.
type series struct {
	mutex   sync.Mutex
	ends    []time.Time
	stopped bool
}

func (s *series) compute() {
	for goesOn := true; goesOn; {
		solutions := bench.CountSolutions(boardSize, 0, bench.Board{})
		bench.Check(solutions, bench.Solutions(boardSize))
		s.mutex.Lock()
		s.ends = append(s.ends, time.Now())
		goesOn = !s.stopped
		s.mutex.Unlock()
	}
}

func (s *series) stop() {
	s.mutex.Lock()
	s.stopped = true
	s.mutex.Unlock()
}

func (s *series) endsSince(begin time.Time) []time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	first := len(s.ends)
	for first > 0 && !s.ends[first-1].Before(begin) {
		first--
	}
	return append([]time.Time(nil), s.ends[first:]...)
}

// each gives the time of a board, of those that ended since begin; it waits for the second if it
// has to.
func (s *series) each(begin time.Time) float64 {
	ends := s.endsSince(begin)
	for len(ends) < 2 {
		time.Sleep(period)
		ends = s.endsSince(begin)
	}
	return bench.Each(ends[len(ends)-1].Sub(ends[0]), len(ends)-1)
}

// smallTask computes for 20 us.
type smallTask struct {
	submitted time.Time
	// 0, then once the time from submission to the end.
	latency atomic.Int64
}

func (t *smallTask) run() {
	for begin := time.Now(); time.Since(begin) < 20*time.Microsecond; {
	}
	t.latency.Store(int64(time.Since(t.submitted)))
}

func main() {
	program := bench.Start("mixed_load")
	phase := program.Duration(10*time.Second, 500*time.Millisecond)
	var boards series
	computed := make(chan struct{})
	go func() {
		boards.compute()
		close(computed)
	}()

	// Go has no threads beside its scheduler: this goroutine has a thread to itself, but it sleeps
	// most of the time and gets no processor beside the workers'.
	runtime.LockOSThread()
	time.Sleep(200 * time.Millisecond)
	begin := time.Now()
	time.Sleep(phase)
	alone := boards.each(begin)
	begin = time.Now()
	var tasks []*smallTask
	for due := time.Duration(0); due < phase; due += period {
		time.Sleep(due - time.Since(begin))
		task := &smallTask{submitted: time.Now()}
		tasks = append(tasks, task)
		go task.run()
	}
	loaded := boards.each(begin)
	time.Sleep(time.Second)
	lost := 0
	for _, task := range tasks {
		if task.latency.Load() == 0 {
			lost++
		}
	}
	boards.stop()
	<-computed
	var latencies []float64
	for _, task := range tasks {
		for task.latency.Load() == 0 {
			time.Sleep(period)
		}
		latencies = append(latencies, float64(task.latency.Load())/1e3)
	}
	program.Report("", alone,
		bench.Counter{Name: "p50_us", Value: bench.Percentile(latencies, 0.5)},
		bench.Counter{Name: "p99_us", Value: bench.Percentile(latencies, 0.99)},
		bench.Counter{Name: "max_us", Value: bench.Percentile(latencies, 1)},
		bench.Counter{Name: "lost", Value: float64(lost)},
		bench.Counter{Name: "kept", Value: alone / loaded})
	program.Finish()
}
