import asyncio
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench


async def one(index):
    """Gives the lateness in microseconds."""
    length = (1000 + bench.draw(index) % 999_001) * 1000
    begin = time.perf_counter_ns()
    await asyncio.sleep(length / 1e9)
    return (time.perf_counter_ns() - begin - length) / 1e3


async def all_of_them(number):
    tasks = [asyncio.create_task(one(index)) for index in range(number)]
    return [await task for task in tasks]


def main():
    program = bench.Program("sleeps")
    number = program.count(100_000)
    cpu_before, start = bench.usage()[0], time.perf_counter_ns()
    lateness = asyncio.run(all_of_them(number))
    elapsed, cpu = time.perf_counter_ns() - start, bench.usage()[0] - cpu_before
    # The loop calls back within its clock's resolution, which may be a little early.
    resolution = time.get_clock_info("monotonic").resolution * 1e6
    bench.check(min(lateness) >= -resolution, True)
    program.report(elapsed / number, cpu_us=cpu * 1e6 / number,
                   late_p50_us=bench.percentile(lateness, 0.5),
                   late_p99_us=bench.percentile(lateness, 0.99))
    program.finish()


main()
