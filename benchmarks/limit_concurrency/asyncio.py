import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1


async def number(i):
    return i


async def map_ten_at_once(count):
    ten = asyncio.Semaphore(10)

    async def limited(i):
        async with ten:
            return await number(i)

    return sum(await asyncio.gather(*[limited(i) for i in range(count)]))


def main():
    program = bench.Program("limit_concurrency")
    count = program.count(1_000_000 * FRACTION)
    answer, elapsed = asyncio.run(bench.measure_warm(lambda: map_ten_at_once(count)))
    bench.check(answer, count * (count - 1) // 2)
    program.report(elapsed / count, fraction=FRACTION)
    program.finish()


main()
