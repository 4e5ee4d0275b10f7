package main

import bench "magpie.benchmarks/support"

// Go has no handles: the goroutines send what they give into one channel.
func takeEach(number int) int {
	ended := make(chan int, number)
	for index := 0; index < number; index++ {
		index := index
		go func() { ended <- index }()
	}
	sum := 0
	for left := number; left > 0; left-- {
		sum += <-ended
	}
	return sum
}

func main() {
	program := bench.Start("as_completed")
	measure := func(name string, full int) {
		number := program.Count(full, 1)
		answer, elapsed := bench.MeasureWarm(func() int { return takeEach(number) })
		bench.Check(answer, bench.SumBelow(number))
		program.Report(name, bench.Each(elapsed, number))
	}
	measure("hundred_thousand", 100_000)
	measure("million", 1_000_000)
	program.Finish()
}
