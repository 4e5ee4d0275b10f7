import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1


async def number(i):
    return i


async def spawn_all(count):
    tasks = [asyncio.create_task(number(i)) for i in range(count)]
    total = 0
    for task in tasks:
        total += await task
    return total


def main():
    program = bench.Program("spawn_join")
    count = program.count(1_000_000 * FRACTION)
    answer, elapsed = asyncio.run(bench.measure_warm(lambda: spawn_all(count)))
    bench.check(answer, count * (count - 1) // 2)
    program.report(elapsed / count, fraction=FRACTION)
    program.finish()


main()
