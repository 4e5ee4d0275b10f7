#!/usr/bin/env python3
"""scenarios.py: writes random programs of tasks, and what asyncio makes of them.

`scenarios.txt` holds the programs, `transcripts.txt` what each task of them saw, and when, by a loop
with virtual time. The test `asyncio_test.cpp` interprets the same programs with magpie, and must see the
same. Run this (Python 3.11 or newer) to renew both files; the same seed gives the same programs.

A program is a list of bodies; a task runs a body. A body is a list of steps:

    sleep D                  sleeps D seconds
    spawn V B                starts body B as the task V
    await V                  awaits task V
    shield V                 the same behind a shield
    cancel V                 cancels task V
    wait_for D V             awaits task V for no longer than D seconds
    limit D B                runs body B within the task for no longer than D seconds
    gather V...              the results of the tasks
    outcomes V...            the same with return_exceptions
    wait POLICY D V...       POLICY: first, exception, all; D: 0 for no limit
    as_completed D V...      likewise
    group D B...             a task group with these bodies; its own body sleeps D seconds
    return N, throw N        ends the body

A step may end with a mark: `?` goes on after an error or a timeout, `!` after a cancellation too.
`^D` sleeps for D seconds after a cancellation, then throws it again.

No two timers are due at one moment, and each step but a sleep follows a sleep. At the moment at which
a child of a group fails no other child of it wakes of itself. So nothing depends on the order in
which a loop runs what is ready at one moment, which no documentation promises.

Python 3.11 is made to do here what magpie does by intent, and what later versions do:

- A gather that is cancelled waits for all its tasks, then throws `cancelled`, whatever they throw.
- as_completed gives those that are done at the beginning in their order.
- A group that throws errors though its task was cancelled has the task cancelled once more, as in
  3.13.
- wait_for is a timeout around the await, as in 3.12.
"""

import asyncio
import itertools
import pathlib
import random
import selectors

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20240601
COUNT = 200


class Failure(Exception):
    pass


# What there is to run.

class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.bodies = []
        self.variables = 0

    def duration(self):
        return self.random.randrange(1, 100_000)

    def mark(self):
        return self.random.choice(["", "", "", " ?", " ?", " !", f" ^{self.duration()}"])

    def body(self, depth, known):
        """Returns the number of a new body, which may use the tasks in `known`."""
        steps = []
        known = list(known)
        for _ in range(self.random.randrange(1, 5)):
            steps.append(f"sleep {self.duration()}")
            steps.append(self.step(depth, known))
        steps.append(f"sleep {self.duration()}")
        steps.append(self.random.choice(["return", "return", "return", "throw"]) +
                     f" {self.random.randrange(100)}")
        self.bodies.append(steps)
        return len(self.bodies) - 1

    def some(self, known):
        return " ".join(map(str, self.random.sample(known, self.random.randrange(1, len(known) + 1))))

    def step(self, depth, known):
        kinds = ["sleep", "sleep"]
        if depth > 0:
            kinds += ["spawn", "spawn", "spawn", "limit", "group"]
        if known:
            kinds += ["await", "shield", "cancel", "wait_for", "gather", "outcomes", "wait",
                      "as_completed"]
        kind = self.random.choice(kinds)
        if kind == "sleep":
            return f"sleep {self.duration()}" + self.mark()
        if kind == "spawn":
            body = self.body(depth - 1, known)
            self.variables += 1
            known.append(self.variables - 1)
            return f"spawn {known[-1]} {body}"
        if kind == "limit":
            return f"limit {self.duration()} {self.body(depth - 1, known)}" + self.mark()
        if kind == "group":
            bodies = [self.body(depth - 1, known) for _ in range(self.random.randrange(1, 4))]
            return f"group {self.duration()} " + " ".join(map(str, bodies)) + self.mark()
        if kind in ("await", "shield"):
            return f"{kind} {self.random.choice(known)}" + self.mark()
        if kind == "cancel":
            return f"cancel {self.random.choice(known)}"
        if kind == "wait_for":
            return f"wait_for {self.duration()} {self.random.choice(known)}" + self.mark()
        if kind in ("gather", "outcomes"):
            return f"{kind} {self.some(known)}" + self.mark()
        limit = self.random.choice([0, self.duration()])
        if kind == "wait":
            policy = self.random.choice(["first", "exception", "all"])
            return f"wait {policy} {limit} {self.some(known)}" + self.mark()
        return f"as_completed {limit} {self.some(known)}" + self.mark()

    def program(self):
        root = self.body(3, [])
        return root, self.bodies


# How asyncio runs it.

class JumpingSelector(selectors.DefaultSelector):
    """Waits for no time; the loop's clock jumps instead."""

    loop = None

    def select(self, timeout=None):
        if timeout is not None and timeout > 0:
            self.loop.moment = max(self.loop.moment + timeout, self.loop.next_deadline())
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        selector = JumpingSelector()
        selector.loop = self
        self.moment = 0.0
        self.moments = set()
        self.has_tie = False
        super().__init__(selector)

    def call_at(self, when, *rest, **options):
        self.has_tie |= when in self.moments
        self.moments.add(when)
        return super().call_at(when, *rest, **options)

    def time(self):
        return self.moment

    def next_deadline(self):
        return self._scheduled[0]._when if self._scheduled else self.moment


class Interpreter:
    def __init__(self, bodies):
        self.bodies = bodies
        self.tasks = {}
        self.lines = []
        self.first_failures = {}  # of a group: when, and of which child

    def say(self, who, what):
        self.lines.append((round(asyncio.get_running_loop().time()), who, what))

    @staticmethod
    def words(error):
        if isinstance(error, asyncio.CancelledError):
            return "cancelled"
        if isinstance(error, asyncio.TimeoutError):
            return "timeout"
        if isinstance(error, BaseExceptionGroup):
            return "group(" + ", ".join(Interpreter.words(each) for each in error.exceptions) + ")"
        return f"failure {error}"

    @staticmethod
    def outcome(value):
        if isinstance(value, asyncio.CancelledError):
            return "(cancelled)"
        return Interpreter.words(value) if isinstance(value, BaseException) else str(value)

    def outcome_of(self, task):
        if task.cancelled():
            return "(cancelled)"
        error = task.exception()
        return self.words(error) if error else str(task.result())

    async def run(self, who, body):
        """Runs a body. Its last step returns or throws."""
        for number, step in enumerate(self.bodies[body]):
            name, *rest = step.split()
            mark = rest.pop() if rest and rest[-1][0] in "?!^" else ""
            if name == "return":
                self.say(who, f"returns {rest[0]}")
                return int(rest[0])
            if name == "throw":
                self.say(who, f"throws {rest[0]}")
                raise Failure(rest[0])
            try:
                result = await self.step(who, f"{who}.{number}", name, rest)
                self.say(who, f"{name}: {result}")
            except asyncio.CancelledError:
                self.say(who, f"{name}: cancelled")
                if mark.startswith("^"):
                    await asyncio.sleep(int(mark[1:]))
                    self.say(who, "cleaned up")
                if mark != "!":
                    raise
            except Exception as error:
                self.say(who, f"{name}: {self.words(error)}")
                if mark not in ("?", "!"):
                    raise

    async def step(self, who, path, name, rest):
        tasks = self.tasks
        if name == "sleep":
            await asyncio.sleep(int(rest[0]))
            return "over"
        if name == "spawn":
            variable = int(rest[0])
            tasks[variable] = asyncio.create_task(self.run(f"t{variable}", int(rest[1])))
            return variable
        if name == "cancel":
            return "true" if tasks[int(rest[0])].cancel() else "false"
        if name == "await":
            return await tasks[int(rest[0])]
        if name == "shield":
            return await asyncio.shield(tasks[int(rest[0])])
        if name == "wait_for":
            return await self.within(int(rest[0]), tasks[int(rest[1])])
        if name == "limit":
            return await self.within(int(rest[0]), self.run(path, int(rest[1])))
        if name == "group":
            return await self.group(path, int(rest[0]), list(map(int, rest[1:])))
        if name in ("gather", "outcomes"):
            results = await self.gather([tasks[int(each)] for each in rest], name == "outcomes")
            return " ".join(map(self.outcome, results))
        if name == "wait":
            policy = {"first": asyncio.FIRST_COMPLETED, "exception": asyncio.FIRST_EXCEPTION,
                      "all": asyncio.ALL_COMPLETED}[rest[0]]
            watched = [tasks[int(each)] for each in rest[2:]]
            done, _ = await asyncio.wait(watched, return_when=policy,
                                         timeout=int(rest[1]) or None)
            return " ".join(self.outcome_of(each) if each in done else "pending"
                            for each in watched)
        assert name == "as_completed"
        watched = [tasks[int(each)] for each in rest[1:]]
        done = [each for each in watched if each.done()]
        others = [each for each in watched if not each.done()]
        next_ones = asyncio.as_completed(others, timeout=int(rest[0]) or None)
        for each in itertools.chain(done, next_ones):
            try:
                self.say(who, f"next: {await each}")
            except Failure as error:
                self.say(who, f"next: {self.words(error)}")
        return "all"

    @staticmethod
    async def within(time, awaited):
        requests = asyncio.current_task().cancelling()
        try:
            async with asyncio.timeout(time):
                return await awaited
        except BaseExceptionGroup:
            if asyncio.current_task().cancelling() == requests:
                try:  # a request of group() below was for this timeout
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    pass
            raise

    @staticmethod
    async def gather(tasks, return_exceptions):
        requests = asyncio.current_task().cancelling()
        try:
            return await asyncio.gather(*tasks, return_exceptions=return_exceptions)
        except BaseException:
            if asyncio.current_task().cancelling() == requests:
                raise
        while pending := [each for each in tasks if not each.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError:
                for each in pending:
                    each.cancel()
        raise asyncio.CancelledError

    async def child(self, group, who, body):
        try:
            await self.run(who, body)
        except Exception:
            self.first_failures.setdefault(group, (asyncio.get_running_loop().time(), who))
            raise

    def has_tie(self):
        """Whether a child of a group woke of itself at the moment at which another one failed."""
        for group, (moment, failed) in self.first_failures.items():
            others = [(who, what) for when, who, what in self.lines
                      if when == moment and who.startswith(f"{group}c") and
                      not f"{who}.".startswith(f"{failed}.")]
            names = [who for who, _ in others]
            if len(set(names)) != len(names) or not all(what.endswith(": cancelled")
                                                        for _, what in others):
                return True
        return False

    async def group(self, path, time, bodies):
        here = asyncio.current_task()
        requests = here.cancelling()
        has_slept = False
        try:
            async with asyncio.TaskGroup() as group:
                for number, body in enumerate(bodies):
                    group.create_task(self.child(path, f"{path}c{number}", body))
                await asyncio.sleep(time)
                has_slept = True
        except BaseExceptionGroup:
            if has_slept and group._parent_cancel_requested:
                here.uncancel()  # 3.11 forgets it
            if here.cancelling() > requests:
                here.uncancel()
                here.cancel()
            raise
        return "left"

    async def root(self, body):
        try:
            await self.run("root", body)
        except (Exception, asyncio.CancelledError) as error:
            self.say("root", f"ends: {self.words(error)}")
        # The others go on to their end.
        others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        while others:
            await asyncio.wait(others)
            others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]


def transcript(root, bodies):
    """The lines, in order; None if two timers were due at one moment."""
    loop = VirtualLoop()
    loop.set_exception_handler(lambda _, context: None)
    try:
        interpreter = Interpreter(bodies)
        loop.run_until_complete(interpreter.root(root))
    finally:
        loop.close()
    if loop.has_tie or interpreter.has_tie():
        return None
    # What happens to different tasks at one moment has no order that matters.
    return sorted(interpreter.lines, key=lambda line: line[:2])


def main():
    programs = []
    transcripts = []
    seed = SEED
    for number in range(COUNT):
        lines = None
        while lines is None:
            root, bodies = Generator(seed).program()
            lines = transcript(root, bodies)
            seed += 1
        programs.append(f"program {number} {root}\n")
        programs += ["; ".join(steps) + "\n" for steps in bodies]
        transcripts.append(f"program {number}\n")
        transcripts += [f"{time} {who} {what}\n" for time, who, what in lines]
    (HERE / "scenarios.txt").write_text("".join(programs))
    (HERE / "transcripts.txt").write_text("".join(transcripts))


if __name__ == "__main__":
    main()
