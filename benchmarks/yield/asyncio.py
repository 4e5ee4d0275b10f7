import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.2

last = None


async def take_turns(this, number):
    """Yields so often, and counts after how many yields the other one had run."""
    global last
    alternations = 0
    for _ in range(number):
        await asyncio.sleep(0)
        if last != this:
            last = this
            alternations += 1
    return alternations


def main():
    program = bench.Program("yield")
    number = program.count(1_000_000 * FRACTION)

    async def both():
        return sum(await asyncio.gather(take_turns(0, number), take_turns(1, number)))

    alternations, elapsed = asyncio.run(bench.measure_warm(both))
    program.report(elapsed / (2 * number), fraction=FRACTION,
                   alternating=alternations / (2 * number))
    program.finish()


main()
