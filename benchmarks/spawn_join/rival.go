package main

import bench "magpie.benchmarks/support"

// A channel for each goroutine is its handle.
func spawnAll(number int) int {
	tasks := make([]chan int, number)
	for index := range tasks {
		result := make(chan int, 1)
		tasks[index] = result
		index := index
		go func() { result <- index }()
	}
	sum := 0
	for _, task := range tasks {
		sum += <-task
	}
	return sum
}

func main() {
	program := bench.Start("spawn_join")
	number := program.Count(1_000_000, 1)
	answer, elapsed := bench.MeasureWarm(func() int { return spawnAll(number) })
	bench.Check(answer, bench.SumBelow(number))
	program.Report("", bench.Each(elapsed, number))
	program.Finish()
}
