import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1


async def number(i):
    return i


async def race(*contenders):
    """The first result, when the others have been cancelled and have ended."""
    tasks = [asyncio.create_task(each) for each in contenders]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
    if pending:
        await asyncio.wait(pending)
    return done.pop().result()


async def race_often(count):
    total = 0
    for _ in range(count):
        total += await race(number(1), number(2))
    return total


def main():
    program = bench.Program("race")
    count = program.count(1_000_000 * FRACTION)
    answer, elapsed = asyncio.run(bench.measure_warm(lambda: race_often(count)))
    bench.check(count <= answer <= 2 * count, True)
    program.report(elapsed / count, fraction=FRACTION)
    program.finish()


main()
