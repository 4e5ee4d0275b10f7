module magpie.benchmarks

go 1.19
