import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

# Above this, the kernel would take minutes.
LIMIT = 20


async def fib(n):
    if n < 2:
        return n
    left, right = await asyncio.gather(fib(n - 1), fib(n - 2))
    return left + right


def calls(n):
    """Calls that the recursion makes for fib(n), itself included."""
    here, following = 0, 1
    for _ in range(n + 1):
        here, following = following, here + following
    return 2 * here - 1


def main():
    program = bench.Program("fib")
    full = max(10, 37 - program.steps(1.618))
    n = min(full, LIMIT)
    answer, elapsed = asyncio.run(bench.measure_warm(lambda: fib(n)))
    bench.check(answer, (calls(n - 1) + 1) // 2)
    program.report(elapsed / calls(n), fraction=calls(n) / calls(full))
    program.finish()


main()
