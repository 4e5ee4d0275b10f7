// Package support has what the Go programs share: the command line, the report, and the problems
// that more than one of them computes. benchmarks/README.md describes the protocol and the kernels.
package support

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Program is one run of one kernel.
type Program struct {
	kernel  string
	Workers int
	scale   float64
	entries []string
}

// Counter is a figure beside the time.
type Counter struct {
	Name  string
	Value float64
}

func misused(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}

// Start reads the command line and the scale, and gives Go's scheduler that many processors.
func Start(kernel string) *Program {
	workers := flag.Int("workers", 0, "threads that compute")
	flag.Parse()
	if *workers < 1 || flag.NArg() != 0 {
		misused("usage: " + os.Args[0] + " --workers N")
	}
	scale := 1.0
	if text := os.Getenv("MAGPIE_BENCH_SCALE"); text != "" {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || !(value > 0 && value <= 1) {
			misused("MAGPIE_BENCH_SCALE is not a number in (0, 1]")
		}
		scale = value
	}
	runtime.GOMAXPROCS(*workers)
	return &Program{kernel: kernel, Workers: *workers, scale: scale}
}

// Count is full times the scale, at least least.
func (p *Program) Count(full, least int) int {
	count := int(math.Round(float64(full) * p.scale))
	if count < least {
		return least
	}
	return count
}

// Duration is full times the scale, at least least.
func (p *Program) Duration(full, least time.Duration) time.Duration {
	return time.Duration(p.Count(int(full), int(least)))
}

// Steps says how often work has to be divided by factor until it is at most the scale's part.
func (p *Program) Steps(factor float64) int {
	// The subtraction keeps a tenth at one step of ten in spite of rounding.
	return int(math.Ceil(math.Log(1/p.scale)/math.Log(factor) - 1e-9))
}

// Report adds an entry: each is the time of one operation in nanoseconds, benchCase may be empty.
func (p *Program) Report(benchCase string, each float64, counters ...Counter) {
	name := p.kernel + "/go/"
	if benchCase != "" {
		name += benchCase + "/"
	}
	entry := fmt.Sprintf(`{"name": "%sworkers:%d", "run_type": "iteration", "iterations": 1, `+
		`"real_time": %g, "time_unit": "ns"`, name, p.Workers, each)
	for _, counter := range counters {
		entry += fmt.Sprintf(`, "%s": %g`, counter.Name, counter.Value)
	}
	p.entries = append(p.entries, entry+"}")
}

// Finish prints the document.
func (p *Program) Finish() {
	fmt.Printf("{\"benchmarks\": [\n  %s\n]}\n", strings.Join(p.entries, ",\n  "))
}

// Check ends the process with status 1 unless both are equal.
func Check[Value comparable](actual, expected Value) {
	if actual != expected {
		fmt.Fprintf(os.Stderr, "WRONG ANSWER: %v, not %v\n", actual, expected)
		os.Exit(1)
	}
}

// MeasureWarm runs kernel twice and gives the second run's answer and time.
func MeasureWarm[Answer any](kernel func() Answer) (Answer, time.Duration) {
	kernel()
	start := time.Now()
	answer := kernel()
	return answer, time.Since(start)
}

// Each gives the nanoseconds of one of so many operations.
func Each(elapsed time.Duration, operations int) float64 {
	return float64(elapsed) / float64(operations)
}

// Microseconds of a duration.
func Microseconds(duration time.Duration) float64 {
	return float64(duration) / 1e3
}

// Percentile gives the value that part of the values do not exceed. It sorts them; there is one at
// least.
func Percentile(values []float64, part float64) float64 {
	sort.Float64s(values)
	rank := int(math.Ceil(part * float64(len(values))))
	if rank < 1 {
		rank = 1
	}
	return values[rank-1]
}
