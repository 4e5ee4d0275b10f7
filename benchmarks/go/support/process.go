package support

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Usage is CPU time and voluntary context switches of all threads.
type Usage struct {
	CPU               time.Duration
	VoluntarySwitches int64
}

// UsageNow gives the usage so far.
func UsageNow() Usage {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return Usage{time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), usage.Nvcsw}
}

// Since gives what came on top of an earlier usage.
func (u Usage) Since(earlier Usage) Usage {
	return Usage{u.CPU - earlier.CPU, u.VoluntarySwitches - earlier.VoluntarySwitches}
}

// ResidentBytes gives the memory that is resident now.
func ResidentBytes() float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var total, resident int
	if _, err := fmt.Sscan(string(statm), &total, &resident); err != nil {
		panic(err)
	}
	return float64(resident) * float64(os.Getpagesize())
}

// The case that a child process is to measure, as Go's runtime cannot fork.
const childCase = "MAGPIE_BENCH_CHILD_CASE"

// InChild runs measure in a process of its own, which is this program started again, and gives its
// two figures.
func InChild(benchCase string, measure func() (float64, float64)) (float64, float64) {
	if os.Getenv(childCase) == benchCase {
		fmt.Println(measure())
		os.Exit(0)
	}
	var first, second float64
	if os.Getenv(childCase) != "" {
		// That is a later case's turn.
		return first, second
	}
	child := exec.Command("/proc/self/exe", os.Args[1:]...)
	child.Env = append(os.Environ(), childCase+"="+benchCase)
	child.Stderr = os.Stderr
	output, err := child.Output()
	if err == nil {
		_, err = fmt.Sscan(string(output), &first, &second)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the child process failed:", err)
		os.Exit(1)
	}
	return first, second
}
