package main

import (
	"time"

	bench "magpie.benchmarks/support"
)

func main() {
	program := bench.Start("idle")
	const period = 10 * time.Millisecond
	phase := program.Duration(10*time.Second, 10*period)
	report := func(benchCase string, tasks int, run func()) {
		go func() {}()
		// What a runtime does before it comes to rest.
		time.Sleep(500 * time.Millisecond)
		before, begin := bench.UsageNow(), time.Now()
		run()
		usage, seconds := bench.UsageNow().Since(before), time.Since(begin).Seconds()
		program.Report(benchCase, bench.Each(usage.CPU, tasks),
			bench.Counter{Name: "cpu_us_per_s", Value: bench.Microseconds(usage.CPU) / seconds},
			bench.Counter{Name: "switches_per_s", Value: float64(usage.VoluntarySwitches) / seconds})
	}
	report("nothing", 1, func() { time.Sleep(phase) })
	ticks := int(phase / period)
	report("ticking", ticks, func() {
		begin := time.Now()
		for tick := 0; tick < ticks; tick++ {
			time.Sleep(time.Duration(tick)*period - time.Since(begin))
			go func() {}()
		}
	})
	program.Finish()
}
