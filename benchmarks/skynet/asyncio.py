import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

# Above this depth, the kernel would take minutes.
LIMIT = 4


async def skynet(first, leaves):
    if leaves == 1:
        return first
    share = leaves // 10
    return sum(await asyncio.gather(*(skynet(first + i * share, share) for i in range(10))))


def nodes(depth):
    return (10 ** (depth + 1) - 1) // 9


def main():
    program = bench.Program("skynet")
    full = max(2, 7 - program.steps(10))
    depth = min(full, LIMIT)
    leaves = 10**depth
    answer, elapsed = asyncio.run(bench.measure_warm(lambda: skynet(0, leaves)))
    bench.check(answer, leaves * (leaves - 1) // 2)
    program.report(elapsed / nodes(depth), fraction=nodes(depth) / nodes(full))
    program.finish()


main()
