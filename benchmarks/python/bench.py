"""What the asyncio programs share: the command line, the report, and threads outside of the loop.

README.md in the folder above describes the protocol and the kernels.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import resource
import sys
import threading
import time

GAMMA = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1
NOT_APPLICABLE = 77


class Program:
    """One run of one kernel on one event loop, which has one thread."""

    def __init__(self, kernel):
        parser = argparse.ArgumentParser()
        parser.add_argument("--workers", type=int, required=True)
        workers = parser.parse_args().workers
        if workers != 1:
            sys.exit(NOT_APPLICABLE)
        try:
            self.scale = float(os.environ.get("MAGPIE_BENCH_SCALE") or 1)
        except ValueError:
            self.scale = 0
        if not 0 < self.scale <= 1:
            parser.error("MAGPIE_BENCH_SCALE is not a number in (0, 1]")
        self.kernel = kernel
        self.entries = []

    def count(self, full, least=1):
        """`full` times the scale, at least `least`."""
        return max(least, round(full * self.scale))

    def steps(self, factor):
        """How often work has to be divided by `factor` until it is at most the scale's part."""
        # The subtraction keeps a tenth at one step of ten in spite of rounding.
        return max(0, math.ceil(math.log(1 / self.scale) / math.log(factor) - 1e-9))

    def report(self, nanoseconds, case="", **counters):
        """Adds an entry: the time of one operation, and counters."""
        name = "/".join(filter(None, [self.kernel, "asyncio", case, "workers:1"]))
        self.entries.append({"name": name, "run_type": "iteration", "iterations": 1,
                             "real_time": nanoseconds, "time_unit": "ns", **counters})

    def finish(self):
        """Prints the document."""
        print(json.dumps({"benchmarks": self.entries}, indent=1))


def check(actual, expected):
    """Ends the process with status 1 unless both are equal."""
    if actual != expected:
        print(f"WRONG ANSWER: {actual!r}, not {expected!r}", file=sys.stderr, flush=True)
        os._exit(1)


async def measure_warm(kernel):
    """Runs the coroutine function twice; gives the second run's answer and nanoseconds."""
    await kernel()
    start = time.perf_counter_ns()
    answer = await kernel()
    return answer, time.perf_counter_ns() - start


def percentile(values, part):
    """`part` of the values are at most the one that is returned."""
    return sorted(values)[max(1, math.ceil(part * len(values))) - 1]


def draw(index):
    """The number at `index` of the sequence that all programs draw from."""
    bits = index * GAMMA & MASK
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & MASK
    return bits ^ bits >> 31


def usage():
    """CPU seconds and voluntary context switches of all threads so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_nvcsw


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def in_child(measure):
    """Runs `measure` in a process of its own and gives the figures that it gives."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(sender, json.dumps(measure()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(sender)
    with os.fdopen(receiver, encoding="ascii") as figures:
        text = figures.read()
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("the child process failed")
    return json.loads(text)


@contextlib.contextmanager
def loop_in_thread():
    """An event loop that runs in a thread of its own, so that the caller is outside of it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
