package main

import (
	"time"

	bench "magpie.benchmarks/support"
)

const armedAtOnce = 1000

func main() {
	program := bench.Start("timeouts")
	number := program.Count(1_000_000, 1)
	cancelled, elapsed := bench.MeasureWarm(func() int {
		var timers [armedAtOnce]*time.Timer
		cancelled := 0
		cancel := func(timer *time.Timer) {
			if timer != nil && timer.Stop() {
				cancelled++
			}
		}
		for index := 0; index < number; index++ {
			place := &timers[index%armedAtOnce]
			cancel(*place)
			*place = time.AfterFunc(time.Duration(1+index%60)*time.Second, func() {})
		}
		for _, timer := range timers {
			cancel(timer)
		}
		return cancelled
	})
	bench.Check(cancelled, number)
	program.Report("", bench.Each(elapsed, number))
	program.Finish()
}
