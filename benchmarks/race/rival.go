package main

import bench "magpie.benchmarks/support"

// Race gives the first result, when the other goroutine has ended, too.
func race(first, second int) int {
	ended := make(chan int, 2)
	go func() { ended <- first }()
	go func() { ended <- second }()
	winner := <-ended
	<-ended
	return winner
}

func raceOften(number int) int {
	sum := 0
	for index := 0; index < number; index++ {
		sum += race(1, 2)
	}
	return sum
}

func main() {
	program := bench.Start("race")
	number := program.Count(1_000_000, 1)
	answer, elapsed := bench.MeasureWarm(func() int { return raceOften(number) })
	bench.Check(number <= answer && answer <= 2*number, true)
	program.Report("", bench.Each(elapsed, number))
	program.Finish()
}
