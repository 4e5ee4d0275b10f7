"""What run.py, compare.py and plot.py share: the kernels' figures and the result files.

A result file is JSON: {"format": 1, "scale", "rounds", "machine": {...}, "failures": [...],
"entries": [...]}. An entry is {"kernel", "rival", "case", "workers", "samples": [...]}; a sample is
one process: its counters, "real_time" of one operation in ns, "cpu_s" and "rss_mb" of the whole
process.
"""

import dataclasses
import json
import pathlib
import statistics

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number that a kernel reports."""

    key: str
    label: str
    unit: str = ""
    better: str = "lower"


@dataclasses.dataclass(frozen=True)
class Kernel:
    name: str
    title: str
    figures: tuple


def time_of(what):
    return Figure("real_time", f"time of {what}", "ns")


KERNELS = {kernel.name: kernel for kernel in (
    Kernel("fib", "fib(37): two forks a call, no cut-off", (time_of("a call"),)),
    Kernel("skynet", "skynet: 10^7 leaves, ten forks a node", (time_of("a node"),)),
    Kernel("nqueens", "13 queens: all solutions, a fork for each safe place",
           (time_of("the board"),)),
    Kernel("matmul", "matmul: 1024 x 1024, by quarters down to 64", (time_of("the product"),)),
    Kernel("uts", "uts: an unbalanced tree of 3336265 nodes", (time_of("a node"),)),
    Kernel("spawn_join", "spawn + join: 1,000,000 tasks from one task",
           (time_of("a task"), Figure("rss_mb", "peak memory of the process", "MB"))),
    Kernel("foreign_submit", "submission from outside: 1,000,000 tasks", (time_of("a task"),)),
    Kernel("round_trip", "round trip: a blocked thread submits and waits",
           (Figure("p50_us", "p50", "us"), Figure("p99_us", "p99", "us"),
            time_of("the mean trip"))),
    Kernel("yield", "yield: two tasks in turns",
           (time_of("a yield"),
            Figure("alternating", "yields after which the other had run", "part", "higher"))),
    Kernel("ping_pong", "ping-pong: two tasks, one place each way", (time_of("a hand-off"),)),
    Kernel("sleeps", "sleeps: 100,000 at once, 1-1000 ms",
           (Figure("cpu_us", "CPU time of a sleep", "us"),
            Figure("late_p50_us", "lateness, p50", "us"),
            Figure("late_p99_us", "lateness, p99", "us"))),
    Kernel("timeouts", "timeouts: 1,000,000 timers armed and cancelled",
           (time_of("arm + cancel"),)),
    Kernel("timed_out_crowd", "a timeout over 200,000 sleepers, beside sleeps of 1 ms",
           (Figure("late_max_us", "worst lateness of a sleep beside it", "us"),
            Figure("idle_max_us", "the same while all sleep", "us"),
            time_of("a sleeper's end"))),
    Kernel("bytes_per_task", "memory: 1,000,000 tasks suspended on one event",
           (Figure("bytes", "memory of a task", "bytes"), time_of("a task's life"))),
    Kernel("gather", "gather: 1,000,000 tasks in a vector, or two and two",
           (time_of("a task"),)),
    Kernel("wait", "wait: for all of many tasks, and for the first of 1000 until none is left",
           (time_of("a task"),)),
    Kernel("as_completed", "as_completed: 100,000 and 1,000,000 tasks", (time_of("a task"),)),
    Kernel("race", "race: 1,000,000 times two tasks that end at once", (time_of("a race"),)),
    Kernel("task_group", "task group: 1,000,000 children",
           (time_of("a child"), Figure("bytes", "memory of a child", "bytes"))),
    Kernel("limit_concurrency", "limit: 1,000,000 tasks, at most ten at once",
           (time_of("a task"),)),
    Kernel("batcher", "batcher: 1,000,000 submissions by 1000 tasks, 100 a batch",
           (time_of("a submission"),)),
    Kernel("rate_limiter", "rate limiter: a start that is allowed at once", (time_of("a start"),)),
    Kernel("retry", "retry of a task that succeeds at once, and a time limit alone",
           (time_of("a task"),)),
    Kernel("report", "a report of 10,000 tasks, a third of them in a ring",
           (time_of("a task in it"),)),
    Kernel("mixed_load",
           "mixed load: nqueens on all workers, 1000 small tasks a second from outside",
           (Figure("p50_us", "p50 from submission to end", "us"),
            Figure("p99_us", "p99", "us"), Figure("max_us", "longest", "us"),
            Figure("lost", "not run within a second after the last", "tasks"),
            Figure("kept", "speed kept by nqueens under the load", "part", "higher"),
            time_of("a board without the load"))),
    Kernel("idle", "idle: nothing to do, and an empty task every 10 ms",
           (Figure("cpu_us_per_s", "CPU time a second", "us"),
            Figure("switches_per_s", "voluntary context switches a second"))),
)}


def kernel_of(name):
    """A kernel that this file does not know is shown by its time alone."""
    return KERNELS.get(name) or Kernel(name, name, (time_of("an operation"),))


def load(path):
    """A result file; `path` may be the folder that it lies in."""
    file = pathlib.Path(path)
    if file.is_dir():
        file = file / "results.json"
    results = json.loads(file.read_text())
    if results.get("format") != FORMAT:
        raise SystemExit(f"{file}: not a result file of format {FORMAT}")
    return results


def key_of(entry):
    return entry["kernel"], entry["case"], entry["rival"], entry["workers"]


def in_order(entries):
    """By kernel, as listed above, and case; magpie first, the rest by name."""
    ranks = {name: rank for rank, name in enumerate(KERNELS)}
    return sorted(entries, key=lambda entry: (
        ranks.get(entry["kernel"], len(ranks)), entry["kernel"], entry["case"],
        not entry["rival"].startswith("magpie"), entry["rival"], entry["workers"]))


def values(entry, figure):
    return [sample[figure.key] for sample in entry["samples"] if figure.key in sample]


@dataclasses.dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float


def spread(entry, figure):
    """Median, least and greatest of a figure, or None when the entry does not have it."""
    found = values(entry, figure) if entry else []
    return Spread(statistics.median(found), min(found), max(found)) if found else None


def shown(number, unit):
    """The numbers with three digits or more, and times in the unit that they are read best in."""
    if unit == "ns":
        for limit, divisor, name in ((1e3, 1, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms")):
            if abs(number) < limit:
                return f"{digits(number / divisor)} {name}"
        return f"{digits(number / 1e9)} s"
    return digits(number)


def digits(number):
    if number == 0:
        return "0"
    size = abs(number)
    return f"{number:.0f}" if size >= 100 else f"{number:.1f}" if size >= 10 else f"{number:.2f}"
