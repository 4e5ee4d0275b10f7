#!/usr/bin/env bash
# header_cost.sh [COMPILER [ROUNDS]]: what the public headers cost a user's compile, against
# <vector> + <atomic>. Prints a table; exit code 1 when a header is over its bar.
# It measures time, so it is no test of `make test`: run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
compiler=${1:-$(command -v clang++-19 || command -v g++)}
rounds=${2:-15}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '#include <vector>\n#include <atomic>\n' >"$scratch/base.cpp"
printf '#include <magpie/task.hpp>\n' >"$scratch/task.cpp"
printf '#include <magpie/magpie.hpp>\n' >"$scratch/umbrella.cpp"

# Appends the processor time of one compile, in milliseconds. Processor time, not the time that
# passed: another process then disturbs it least.
compile() {
  local TIMEFORMAT='%U %S' spent
  spent=$({ time "$compiler" -std=c++20 -fsyntax-only \
    -Ischeduler -Iruntime -Icombinators "$scratch/$1.cpp"; } 2>&1) || {
    echo "$spent" >&2
    return 1
  }
  awk '{ print ($1 + $2) * 1000 }' <<<"$spent" >>"$scratch/$1.times"
}

median() { sort -n "$scratch/$1.times" | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }'; }

# Interleaved, so that a slow moment of the machine falls on all of them.
for subject in base task umbrella; do compile "$subject"; rm "$scratch/$subject.times"; done
for ((round = 0; round < rounds; ++round)); do
  for subject in base task umbrella; do compile "$subject"; done
done

over=0
base=$(median base)
printf '%s, median of %d compiles\n' "$("$compiler" --version | head -n 1)" "$rounds"
printf '%-24s %8s %7s %6s\n' header ms times bar
printf '%-24s %8.0f %7.2f\n' '<vector> + <atomic>' "$base" 1
# row HEADER SUBJECT BAR
row() {
  awk -v header="$1" -v spent="$(median "$2")" -v base="$base" -v bar="$3" 'BEGIN {
    times = spent / base
    printf "%-24s %8.0f %7.2f %6.1f%s\n", header, spent, times, bar, (times > bar ? "  OVER" : "")
    exit (times > bar)
  }' || over=1
}
row '<magpie/task.hpp>' task 1.5
row '<magpie/magpie.hpp>' umbrella 4
exit "$over"
