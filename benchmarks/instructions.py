#!/usr/bin/env python3
"""instructions.py [--check]: what magpie's operations cost in instructions, counted by callgrind.

Unlike times, the counts repeat exactly, on a busy machine too. They depend on the compiler and its
flags (clang 19, -O3, without -march=native, whose instructions callgrind does not all know), and on
the code of libstdc++ and libc. One count is the difference of a run of 2000 operations and one of
1000, for each of the thousand between.

Without --check, writes instructions.txt beside this file. With --check, compares: exit status 1
when an operation costs more than is written there; what costs less is told, and is for a new file.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
FILE = HERE / "instructions.txt"
OPERATIONS = {
    "await": "co_await of a task: its frame, start and end",
    "gather": "gather of two tasks: two frames, fork and join",
    "parallel_invoke": "parallel_invoke of two closures: fork and join",
    "spawn": "spawn of a task, co_await of its handle",
    "sleep": "sleep_for under virtual time, without a worker",
    "wait_for": "wait_for of a task that ends at once, likewise",
    "yield": "yield of a task that is alone",
}
FEW, MANY = 1000, 2000
NOT_APPLICABLE = 77


def build(folder):
    """The program, in a build of its own: the release preset, for any processor."""
    subprocess.run(["cmake", "--preset", "release", "-B", folder, "-DMAGPIE_BUILD_BENCHMARKS=ON",
                    "-DMAGPIE_BUILD_TESTS=OFF", "-DMAGPIE_BUILD_EXAMPLES=OFF",
                    "-DMAGPIE_INSTALL=OFF"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "--target", "bench_instructions"], cwd=ROOT,
                   check=True, stdout=subprocess.DEVNULL)
    return folder / "benchmarks" / "bench_instructions"


def collected(program, operation, count):
    """Instructions of `count` operations, or None when this magpie does not have the operation."""
    run = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no",
                          f"--callgrind-out-file={os.devnull}", str(program), operation,
                          str(count)],
                         capture_output=True, text=True)
    if run.returncode == NOT_APPLICABLE:
        return None
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        raise SystemExit(f"{operation}: {run.stderr}")
    return int(found[1])


def count_all(program):
    counts = {}
    for operation in OPERATIONS:
        few = collected(program, operation, FEW)
        if few is not None:
            counts[operation] = (collected(program, operation, MANY) - few) / (MANY - FEW)
    return counts


def read():
    return {line.split()[0]: float(line.split()[1]) for line in FILE.read_text().splitlines()
            if line and not line.startswith("#")}


def text(counts):
    compiler = subprocess.run(["clang++-19", "--version"], capture_output=True, text=True,
                              check=True).stdout.splitlines()[0]
    lines = ["# Instructions of one operation, by instructions.py.", f"# {compiler}"]
    lines += [f"{name:16} {count:8.2f}  {OPERATIONS[name]}" for name, count in counts.items()]
    return "\n".join(lines) + "\n"


def check(counts):
    """How many operations cost more than is written."""
    written = read()
    worse = 0
    for name in OPERATIONS:
        was, now = written.get(name), counts.get(name)
        if was is None and now is None:
            continue
        if was is None or now is None:
            print(f"{name}: {'is not in' if was is None else 'is only in'} {FILE.name}")
            worse += now is None
            continue
        # As it is written: with two digits behind the point.
        change = round(now, 2) - was
        worse += change > 0
        verdict = "MORE" if change > 0 else "less" if change < 0 else "same"
        print(f"{name:16} {was:8.2f} -> {now:8.2f}  {verdict}")
    return worse


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="compare with instructions.txt")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "instructions",
                        help="folder to build in (default: build/instructions)")
    parser.add_argument("--program", type=pathlib.Path,
                        help="a bench_instructions that is built already")
    options = parser.parse_args()
    counts = count_all(options.program or build(options.build.resolve()))
    if options.check:
        return 1 if check(counts) else 0
    FILE.write_text(text(counts))
    print(FILE.read_text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
