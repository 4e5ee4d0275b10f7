import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1


async def number(i):
    return i


async def take_each(count):
    total = 0
    for each in asyncio.as_completed([asyncio.create_task(number(i)) for i in range(count)]):
        total += await each
    return total


def main():
    program = bench.Program("as_completed")
    for case, full in ("hundred_thousand", 100_000), ("million", 1_000_000):
        count = program.count(full * FRACTION)
        answer, elapsed = asyncio.run(bench.measure_warm(lambda: take_each(count)))
        bench.check(answer, count * (count - 1) // 2)
        program.report(elapsed / count, case, fraction=FRACTION)
    program.finish()


main()
