package main

import (
	"sync"
	"time"

	bench "magpie.benchmarks/support"
)

const leafSide = 64

// part is a square of a matrix: rows lie stride apart.
type part struct {
	values []float64
	stride int
}

func (p part) quarter(down, right, half int) part {
	return part{p.values[down*half*p.stride+right*half:], p.stride}
}

func multiplyLeaf(c, a, b part) {
	for i := 0; i < leafSide; i++ {
		to := c.values[i*c.stride:][:leafSide]
		for k := 0; k < leafSide; k++ {
			factor := a.values[i*a.stride+k]
			from := b.values[k*b.stride:][:leafSide]
			for j := range to {
				to[j] += factor * from[j]
			}
		}
	}
}

// multiply adds a times b to c.
func multiply(c, a, b part, side int) {
	if side == leafSide {
		multiplyLeaf(c, a, b)
		return
	}
	half := side / 2
	for term := 0; term < 2; term++ {
		var products sync.WaitGroup
		products.Add(4)
		for number := 0; number < 4; number++ {
			down, right := number/2, number%2
			go func(c, a, b part) {
				multiply(c, a, b, half)
				products.Done()
			}(c.quarter(down, right, half), a.quarter(down, term, half), b.quarter(term, right, half))
		}
		products.Wait()
	}
}

func fill(side int, entry func(i, j int) int) part {
	values := make([]float64, side*side)
	for index := range values {
		values[index] = float64(entry(index/side, index%side))
	}
	return part{values, side}
}

func (p part) times(vector []float64) []float64 {
	result := make([]float64, len(vector))
	for i := range result {
		for j, value := range vector {
			result[i] += p.values[i*p.stride+j] * value
		}
	}
	return result
}

func main() {
	program := bench.Start("matmul")
	side := 1024
	for step := program.Steps(8); step > 0 && side > 128; step-- {
		side /= 2
	}
	a := fill(side, func(i, j int) int { return (7*i+3*j)%11 - 5 })
	b := fill(side, func(i, j int) int { return (5*i+2*j)%13 - 6 })
	var c part
	run := func() time.Duration {
		c = fill(side, func(i, j int) int { return 0 })
		start := time.Now()
		multiply(c, a, b, side)
		return time.Since(start)
	}
	run()
	elapsed := run()
	vector := make([]float64, side)
	for j := range vector {
		vector[j] = float64(j%7) - 3
	}
	expected := a.times(b.times(vector))
	for i, value := range c.times(vector) {
		bench.Check(value, expected[i])
	}
	program.Report("", bench.Each(elapsed, 1))
	program.Finish()
}
