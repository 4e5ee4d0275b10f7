package main

import (
	"sync"

	bench "magpie.benchmarks/support"
)

// A channel of ten places limits how many goroutines run.
func mapTenAtOnce(number int) int {
	results := make([]int, number)
	ten := make(chan struct{}, 10)
	var all sync.WaitGroup
	for index := range results {
		ten <- struct{}{}
		all.Add(1)
		index := index
		go func() {
			results[index] = index
			<-ten
			all.Done()
		}()
	}
	all.Wait()
	sum := 0
	for _, each := range results {
		sum += each
	}
	return sum
}

func main() {
	program := bench.Start("limit_concurrency")
	number := program.Count(1_000_000, 1)
	answer, elapsed := bench.MeasureWarm(func() int { return mapTenAtOnce(number) })
	bench.Check(answer, bench.SumBelow(number))
	program.Report("", bench.Each(elapsed, number))
	program.Finish()
}
