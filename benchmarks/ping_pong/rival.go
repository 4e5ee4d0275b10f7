package main

import bench "magpie.benchmarks/support"

// play hands a number to and fro, each time one larger, and gives the last one.
func play(roundTrips int) int {
	toOther, toThis := make(chan int, 1), make(chan int, 1)
	result := make(chan int)
	go func() {
		for number := range toOther {
			toThis <- number + 1
		}
	}()
	go func() {
		number := 0
		for ; roundTrips > 0; roundTrips-- {
			toOther <- number + 1
			number = <-toThis
		}
		close(toOther)
		result <- number
	}()
	return <-result
}

func main() {
	program := bench.Start("ping_pong")
	roundTrips := program.Count(500_000, 1)
	number, elapsed := bench.MeasureWarm(func() int { return play(roundTrips) })
	bench.Check(number, 2*roundTrips)
	program.Report("", bench.Each(elapsed, 2*roundTrips))
	program.Finish()
}
