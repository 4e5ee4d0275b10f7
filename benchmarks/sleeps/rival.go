package main

import (
	"sync"
	"time"

	bench "magpie.benchmarks/support"
)

func main() {
	program := bench.Start("sleeps")
	lateness := make([]float64, program.Count(100_000, 1))
	before, start := bench.UsageNow(), time.Now()
	var tasks sync.WaitGroup
	tasks.Add(len(lateness))
	for index := range lateness {
		index := index
		go func() {
			length := time.Duration(1000+bench.Draw(index)%999_001) * time.Microsecond
			begin := time.Now()
			time.Sleep(length)
			lateness[index] = bench.Microseconds(time.Since(begin) - length)
			tasks.Done()
		}()
	}
	tasks.Wait()
	elapsed, usage := time.Since(start), bench.UsageNow().Since(before)
	bench.Check(bench.Percentile(lateness, 0) >= 0, true)
	program.Report("", bench.Each(elapsed, len(lateness)),
		bench.Counter{Name: "cpu_us", Value: bench.Microseconds(usage.CPU) / float64(len(lateness))},
		bench.Counter{Name: "late_p50_us", Value: bench.Percentile(lateness, 0.5)},
		bench.Counter{Name: "late_p99_us", Value: bench.Percentile(lateness, 0.99)})
	program.Finish()
}
