#!/usr/bin/env python3
"""Tries treesum on trees with everything that a file system allows, against find and sha256sum.

usage: treesum_test.py TREESUM [NAME...]     runs all checks, or those whose names contain a NAME
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import random
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
KIBI = 1024
MEBI = 1024 * KIBI


def run(*arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([PROGRAM, *arguments], timeout=120, check=False, **options)


def expected_lines(*roots, cwd=None):
    """What find, sort and sha256sum print for the files that can be read."""
    find = ["find", *roots, "-type", "f", "-print0"]
    names = subprocess.run(find, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=cwd)
    names = sorted(names.stdout.split(b"\0")[:-1])
    command = ["xargs", "-0", "-r", "sha256sum", "--"]
    return subprocess.run(command, input=b"".join(name + b"\0" for name in names), cwd=cwd,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def problems(result):
    """The lines about problems; after them stands the summary."""
    text = result.stderr.decode()
    assert text.endswith("\n"), text
    lines = text.splitlines()
    assert all(line.startswith("treesum: ") for line in lines), lines
    assert " MB/s, " in lines[-1] and "workers busy:" in lines[-1], lines
    return lines[:-1]


def check_equal(actual, expected):
    if actual == expected:
        return
    for a, b in zip(actual.splitlines(), expected.splitlines()):
        assert a == b, f"\n  printed  {a!r}\n  expected {b!r}"
    raise AssertionError(f"{len(actual)} bytes printed, {len(expected)} expected")


def check_some_of(actual, expected):
    """Whole lines, in their order."""
    printed = actual.splitlines(keepends=True)
    once = set(printed)
    check_equal(actual, b"".join(line for line in expected.splitlines(True) if line in once))


def check_clean(*roots, cwd=None, options=()):
    result = run(*options, *roots, cwd=cwd)
    check_equal(result.stdout, expected_lines(*roots, cwd=cwd))
    assert problems(result) == [], problems(result)
    assert result.returncode == 0, result.returncode


def check_one_problem(result, *words):
    lines = problems(result)
    assert len(lines) == 1, lines
    for word in words:
        assert word in lines[0], lines
    assert result.returncode == 1, result.returncode


def write(path, content=b"content\n"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def write_sparse(path, size):
    write(path, b"")
    os.truncate(path, size)


def eventually(condition):
    """Waits until the condition holds. Fails when that takes so long that it never will."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited 60 s in vain"
        time.sleep(0.001)


def positions(process, folder):
    """Where the process reads in those files of the folder that it has open."""
    found = []
    for entry in os.scandir(f"/proc/{process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(entry.path).startswith(f"{folder}/"):
                with open(f"/proc/{process.pid}/fdinfo/{entry.name}", encoding="ascii") as file:
                    found.append(int(file.readline().removeprefix("pos:")))
    return found


def is_full(writer):
    """Whether a pipe has no room, as a process that waits for room in it sees it."""
    return not select.select([], [writer], [], 0)[1]


# ---- what is printed ----------------------------------------------------------------------------


def test_order_of_paths(tree):
    # '-' and '.' sort before '/', '0' behind it.
    names = ["a/x", "a/b/c", "a-b", "a.b/c", "a.b/c.d", "a0", "A", "a/b-c", "a/b.c/d", "\u00e4"]
    for name in names:
        write(f"{tree}/{name}", name.encode())
    check_clean(tree)
    check_clean(".", cwd=tree)
    check_clean("a", "a.b", "a-b", "a0", cwd=tree)


def test_spellings_of_a_folder(tree):
    write(f"{tree}/d/e/f")
    write(f"{tree}/d/g")
    for spelling in ["d", "d/", "d//", "./d", "d/e/..", "d/./e//", "../" + os.path.basename(tree)]:
        check_clean(spelling, cwd=tree)
    for roots in [("d/e", "d"), ("d", "d"), ("d/", "d"), ("d/g",), ("d/g", "d", "d/e/f")]:
        check_clean(*roots, cwd=tree)


def test_link_as_argument(tree):
    write(f"{tree}/d/f")
    os.symlink("d", f"{tree}/link")
    check_clean("link", cwd=tree)
    check_clean("link/", cwd=tree)
    assert run("link", cwd=tree).stdout == b""
    assert run("link/", cwd=tree).stdout.endswith(b"  link/f\n")


NASTY_NAMES = [
    b"with space", b" leading", b"trailing ", b"two  spaces", b"new\nline", b"\n",
    b"carriage\rreturn", b"back\\slash", b"\\", b"\\n", b"tab\there", b"\xff\xfe invalid",
    b"cut \xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"bell\a escape\x1b[2J", b"'quoted'", b'"double"',
    b"-dash", b"--", b"$(touch x)", b"*", b"?", b"[a,b]", b"{}", b"%%", b"%s%n", b"+", b"~",
    b"...", b"n" * 255, b"\x7f", b"\x01", "\u00fcml\u00e4ut \u2028 \U0001f426".encode(), b"a=b",
    b"#", b";", b"|", b"line\r\nend",
]


def write_nasty_names(tree):
    for name in NASTY_NAMES:
        write(os.fsencode(tree) + b"/files/" + name, name)
        if len(name) < 255:
            write(os.fsencode(tree) + b"/folders/" + name + b"/" + name, name * 2)


def test_nasty_names(tree):
    write_nasty_names(tree)
    check_clean(tree)
    check_clean(os.fsencode(tree))


def test_nasty_names_as_arguments(tree):
    write_nasty_names(tree)
    for name in NASTY_NAMES:
        place = os.fsencode(tree) + b"/files/"
        result = run("--quiet", b"--", name, cwd=place)
        expected = subprocess.run([b"sha256sum", b"--", name], cwd=place, stdout=subprocess.PIPE)
        check_equal(result.stdout, expected.stdout)
        assert (result.returncode, result.stderr) == (0, b""), (name, result)
        if not name.startswith(b"-"):
            check_equal(run(name, "--quiet", cwd=place).stdout, expected.stdout)


def test_sizes(tree):
    generator = random.Random(1)
    buffer = 256 * KIBI
    sizes = [0, 1, 2, 55, 56, 63, 64, 65, 119, 120, 4095, 4096, 4097]
    sizes += [buffer - 1, buffer, buffer + 1, 2 * buffer - 1, 2 * buffer, 3 * buffer + 77, 5 * MEBI]
    for size in sizes:
        for copy in range(3):
            write(f"{tree}/{size}-{copy}", generator.randbytes(size))
    for workers in ["1", "2", "8"]:
        check_clean(tree, options=["--workers", workers])


def test_random_trees(tree):
    seed = random.randrange(2**32)
    print(f"(seed {seed})", end=" ")
    generator = random.Random(seed)
    for number in range(10):
        root = f"{tree}/{number}"
        os.mkdir(root)
        folders = [root]
        for _ in range(generator.randrange(400)):
            parent = generator.choice(folders)
            name = "".join(generator.choices("ab-./0\u00e9 \\", k=generator.randrange(1, 5)))
            path = f"{parent}/{name}"
            if "/" in name or name in (".", "..") or os.path.lexists(path):
                continue
            kind = generator.random()
            if kind < 0.4:
                os.mkdir(path)
                folders.append(path)
            elif kind < 0.95:
                write(path, generator.randbytes(generator.randrange(3) * generator.randrange(9000)))
            else:
                os.symlink(generator.choice(folders), path)
        check_clean(root, options=["--workers", generator.choice(["1", "2", "8"])])


def test_many_folders(tree):
    for i in range(3000):
        write(f"{tree}/{i % 17}/{i % 101}/{i}/f", str(i).encode())
    check_clean(tree)


def test_empty_folders(tree):
    os.makedirs(f"{tree}/a/b/c")
    check_clean(tree)
    assert run(tree).stdout == b""


def test_files_that_lie_about_their_size(_):
    # Of size 0 by their own account, and read in several short pieces.
    path = "/proc/kallsyms"
    if not os.path.exists(path):
        return

    def digest():
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def printed_matches():
        before, out, after = digest(), run("--quiet", path).stdout, digest()
        if before != after:  # the kernel has changed it
            return False
        check_equal(out, f"{before}  {path}\n".encode())
        return True

    eventually(printed_matches)


# ---- what is not hashed -------------------------------------------------------------------------


def test_links_are_not_followed(tree):
    write(f"{tree}/d/f")
    os.symlink("d", f"{tree}/to_folder")
    os.symlink("d/f", f"{tree}/to_file")
    os.symlink("nowhere", f"{tree}/dangling")
    os.symlink("..", f"{tree}/d/to_parent")
    check_clean(tree)
    assert run(tree).stdout.count(b"\n") == 1


def test_links_in_a_circle(tree):
    write(f"{tree}/before")
    write(f"{tree}/z/behind")
    os.symlink("loop", f"{tree}/loop")
    result = run(tree)
    check_one_problem(result, f"{tree}/loop: ", "link")
    check_equal(result.stdout, expected_lines(tree))
    check_one_problem(run(f"{tree}/loop"), "loop")

    os.symlink("two", f"{tree}/z/one")
    os.symlink("one", f"{tree}/z/two")
    result = run(tree)
    assert len(problems(result)) == 3 and result.returncode == 1, result
    check_equal(result.stdout, expected_lines(tree))


def test_pipes_and_sockets_are_ignored(tree):
    write(f"{tree}/file")
    os.mkfifo(f"{tree}/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tree}/socket")
        check_clean(tree)
        check_clean("pipe", "socket", "file", cwd=tree)


# ---- problems -----------------------------------------------------------------------------------


def test_missing_arguments(tree):
    write(f"{tree}/there/f")
    result = run("not\nthere", "there", cwd=tree)
    check_one_problem(result, "not\\nthere: ", "No such file")
    check_equal(result.stdout, expected_lines("there", cwd=tree))
    check_one_problem(run("", cwd=tree), "''", "No such file")
    check_one_problem(run("there/f/", cwd=tree), "Not a directory")


def unprivileged():
    """How to run the program as somebody whom file modes bind."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def test_without_permission(tree):
    # Somebody without privileges might not even reach the program where it is.
    program = shutil.copy(PROGRAM, f"{tree}/program")
    os.chmod(program, 0o755)
    os.chmod(tree, 0o755)
    root = f"{tree}/root"
    write(f"{root}/a/f")
    write(f"{root}/b/secret\nname")
    write(f"{root}/b/\u00fc secret")
    write(f"{root}/c/hidden")
    write(f"{root}/d/f")
    os.chmod(f"{root}/b/secret\nname", 0)
    os.chmod(f"{root}/b/\u00fc secret", 0)
    os.chmod(f"{root}/c", 0)
    try:
        result = subprocess.run([program, root], capture_output=True, timeout=120, check=False,
                                **unprivileged())
        lines = problems(result)
        assert len(lines) == 3, lines
        for path in ["b/secret\\nname", "b/\u00fc secret", "c"]:
            about = [line for line in lines if line.startswith(f"treesum: {root}/{path}: ")]
            assert len(about) == 1 and "Permission denied" in about[0], lines
        check_equal(result.stdout, expected_lines(f"{root}/a", f"{root}/d"))
        assert result.returncode == 1
        result = subprocess.run([program, f"{root}/c", f"{root}/a"], capture_output=True,
                                timeout=120, check=False, **unprivileged())
        check_one_problem(result, f"{root}/c: ", "Permission denied")
        check_equal(result.stdout, expected_lines(f"{root}/a"))
    finally:
        os.chmod(f"{root}/c", 0o755)


def test_read_errors(tree):
    # It opens, and its first page cannot be read.
    write(f"{tree}/f")
    result = run("/proc/self/mem", tree)
    check_one_problem(result, "/proc/self/mem: ", "Input/output error")
    check_equal(result.stdout, expected_lines(tree))


def test_vanishing_files(tree):
    # Far more than can be hashed before they are deleted; only those then open are not missed.
    names = [f"{tree}/{i:04}" for i in range(800)]
    for name in names:
        write_sparse(name, 64 * MEBI)
    with subprocess.Popen([PROGRAM, "--quiet", tree], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        eventually(lambda: positions(process, tree))  # all have been found
        for name in reversed(names):
            os.unlink(name)
        out, errors = process.communicate(timeout=120)
    hashed = [line.split(b"  ", 1)[1].decode() for line in out.splitlines()]
    missing = [line.split(": ")[1] for line in errors.decode().splitlines()]
    assert process.returncode == 1
    assert errors.count(b"No such file or directory") == len(missing) > 0
    assert hashed == sorted(hashed)
    assert sorted(hashed + missing) == names, (len(hashed), len(missing))


def test_vanishing_and_changing_folders(tree):
    for _ in range(3):
        for i in range(300):
            write(f"{tree}/{i}/f")
            write(f"{tree}/{i}/d/f")
        with subprocess.Popen([PROGRAM, "--quiet", tree], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            for i in range(300):
                shutil.rmtree(f"{tree}/{i}")
                os.symlink("/etc", f"{tree}/{i}")
            out, errors = process.communicate(timeout=120)
        assert process.returncode == (1 if errors else 0), (process.returncode, errors)
        for line in out.splitlines():
            assert line.startswith(hashlib.sha256(b"content\n").hexdigest().encode()), line
        for i in range(300):
            os.unlink(f"{tree}/{i}")


def test_paths_too_long_to_open(tree):
    write(f"{tree}/f")
    here = os.getcwd()
    os.chdir(tree)
    depth = 0
    try:
        while depth < 25:
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
            depth += 1
            write("./f")
        result = run(tree)
        check_one_problem(result, "File name too long")
        check_equal(result.stdout, expected_lines(tree))
    finally:
        for _ in range(depth):
            os.unlink("f")
            os.chdir("..")
            os.rmdir("d" * 200)
        os.chdir(here)


def test_few_files_are_open_at_once(tree):
    for i in range(1000):
        write(f"{tree}/{i}/f")
        write_sparse(f"{tree}/{i}/large", 300 * KIBI)
    allow_few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    result = run("--workers=32", tree, preexec_fn=allow_few)
    assert problems(result) == [], problems(result)
    check_equal(result.stdout, expected_lines(tree))


# ---- options ------------------------------------------------------------------------------------


def check_usage_error(words, *arguments):
    result = run(*arguments)
    text = result.stderr.decode()
    assert result.returncode == 2 and result.stdout == b"", result
    assert text.startswith("treesum: ") and text.count("\n") == 1, text
    assert "expected" in text and words in text, text


def test_wrong_options(tree):
    for count in ["0", "-1", "x", "", "1.5", "257", "99999999999999999999", "2x", " 2"]:
        check_usage_error("from 1 to 256", "--workers", count, tree)
        check_usage_error("from 1 to 256", f"--workers={count}", tree)
    check_usage_error("--workers", tree, "--workers")
    check_usage_error("from 1 to 256", "--workers=", tree)
    check_usage_error("--worker", "--worker", "2", tree)
    check_usage_error("'-x'", tree, "-x")
    check_usage_error("--json", tree, "--json=maybe")
    check_usage_error("at least one DIR")
    check_usage_error("at least one DIR", "--json")
    check_usage_error("got 'x'", "--workers", "1", tree, "--workers", "x")
    check_usage_error("--workers", "--json", "--workers=")
    check_usage_error("new\\nline", "--new\nline", tree)


def test_help(_):
    result = run("--help")
    assert result.returncode == 0 and result.stderr == b""
    for word in [b"DIR", b"--workers N", b"--json", b"--quiet", b"130"]:
        assert word in result.stdout, result.stdout


def test_workers_and_summary(tree):
    write(f"{tree}/f", b"x" * 3_000_000)
    write(f"{tree}/g", b"x" * 1_100_000)
    for workers in [1, 2, 5]:
        line = run(f"--workers={workers}", tree).stderr.decode()
        assert line.startswith("treesum: 2 files, 4.1 MB, "), line
        assert line.count(" %") == workers, line


def test_quiet(tree):
    write(f"{tree}/f")
    result = run("--quiet", tree, "missing")
    assert result.stderr == b"treesum: missing: cannot look at it: No such file or directory\n"
    check_equal(result.stdout, expected_lines(tree))
    assert run("--quiet", tree).stderr == b""


def test_json(tree):
    write_nasty_names(tree)
    os.symlink("loop", f"{tree}/loop")
    before = time.monotonic()
    result = run("--json", "--workers", "2", tree)
    elapsed = (time.monotonic() - before) * 1000
    text = json.loads(result.stdout.decode("utf-8"))
    assert set(text) == {"files", "summary"}
    paths = []
    for file in text["files"]:
        path = os.fsencode(file["path"])
        if "path_hex" in file:
            path = bytes.fromhex(file["path_hex"])
            assert path.decode(errors="replace").count("\ufffd") > 0 and "\ufffd" in file["path"]
        with open(path, "rb") as content:
            content = content.read()
        assert file["sha256"] == hashlib.sha256(content).hexdigest(), file
        assert file["bytes"] == len(content), file
        assert 0 < file["milliseconds"] < elapsed, file
        paths.append(path)
    assert paths == sorted(paths) and len(paths) == 2 * len(NASTY_NAMES) - 1
    figures = text["summary"]
    assert figures["files"] == len(paths) and figures["problems"] == 1
    assert figures["bytes"] == sum(file["bytes"] for file in text["files"])
    times = figures["milliseconds"]
    assert abs(times["walk"] + times["hash"] - times["total"]) < 0.01 and times["total"] < elapsed
    assert len(figures["busy_shares"]) == 2 and figures["stopped_by"] is None
    assert result.returncode == 1

    os.mkdir(f"{tree}/empty")
    text = json.loads(run("--json", "--quiet", f"{tree}/empty").stdout)
    assert text["files"] == [] and text["summary"]["files"] == 0


# ---- the terminal -------------------------------------------------------------------------------


def run_on_terminal(*arguments, stdout_too=False):
    """(standard output, what the terminal got, exit code)"""
    terminal, end_of_program = pty.openpty()
    with subprocess.Popen([PROGRAM, *arguments], stderr=end_of_program, stdin=subprocess.DEVNULL,
                          stdout=end_of_program if stdout_too else subprocess.PIPE) as process:
        os.close(end_of_program)
        shown = b""
        with contextlib.suppress(OSError):
            while piece := os.read(terminal, 65536):
                shown += piece
        os.close(terminal)
        out = b"" if stdout_too else process.stdout.read()
    return out, shown, process.returncode


def last_look(shown):
    """The lines as they stay on a terminal that knows \\r and erase-to-the-end."""
    return [line.split(b"\r\x1b[K")[-1] for line in shown.replace(b"\r\n", b"\n").split(b"\n")]


def test_progress(tree):
    digest = hashlib.sha256(bytes(64 * MEBI)).hexdigest()
    expected = b""
    for i in range(32):
        write_sparse(f"{tree}/{i:02}", 64 * MEBI)
        expected += f"{digest}  {tree}/{i:02}\n".encode()
    os.symlink("loop", f"{tree}/loop")

    out, shown, code = run_on_terminal(tree)
    check_equal(out, expected)
    assert code == 1
    drawn = [line for line in shown.split(b"\r\x1b[K") if b" left" in line]
    assert len(drawn) >= 3, shown
    assert all(b" of 32 files, " in line and b" MB/s, " in line for line in drawn), drawn
    stays = last_look(shown)
    assert len(stays) == 3 and b"loop: " in stays[0] and b"32 files, " in stays[1], stays

    _, shown, _ = run_on_terminal(tree, stdout_too=True)
    stays = [line for line in last_look(shown) if not line.startswith(b"treesum: ")]
    check_equal(b"\n".join(stays), expected)

    _, shown, _ = run_on_terminal("--quiet", f"{tree}/00", f"{tree}/01")
    assert shown == b"", shown


# ---- stopping -----------------------------------------------------------------------------------

# Less than it takes to hash one of the files that take long.
LIMIT = 5


def write_much(tree):
    """Small files first, then what takes minutes."""
    for i in range(500):
        write(f"{tree}/a/{i:03}", str(i).encode())
    for i in range(64):
        write_sparse(f"{tree}/b/{i:02}", 64 * KIBI * MEBI)


@contextlib.contextmanager
def start(*arguments, stdout=subprocess.PIPE):
    with subprocess.Popen([PROGRAM, *arguments], stdout=stdout,
                          stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()  # unless it has ended


@contextlib.contextmanager
def start_on_much(tree, *options):
    """A process that has hashed all small files and no other one."""
    lanes = 8  # Each reads on when it has hashed what it has read.
    with start("--workers=2", *options, tree) as process:
        eventually(lambda: sum(at > 4 * MEBI for at in positions(process, f"{tree}/b")) == lanes)
        yield process


def stop(process, signal_number):
    """(output, errors)"""
    begin = time.monotonic()
    process.send_signal(signal_number)
    out, errors = process.communicate(timeout=120)
    seconds = time.monotonic() - begin
    assert seconds < LIMIT, f"took {seconds} s to stop"
    return out, errors


def test_stop(tree):
    write_much(tree)
    expected = expected_lines(f"{tree}/a")
    for signal_number, code in [(signal.SIGINT, 130), (signal.SIGTERM, 143)]:
        with start_on_much(tree) as process:
            out, errors = stop(process, signal_number)
        assert process.returncode == code, process.returncode
        check_equal(out, expected)
        name = signal.Signals(signal_number).name
        assert f"stopped by {name}".encode() in errors and errors.count(b"\n") == 1, errors


def test_stop_at_any_moment(tree):
    for i in range(4000):
        write(f"{tree}/{i % 61}/{i}", str(i).encode() * 100)
    expected = expected_lines(tree)
    for step in range(30):
        process = subprocess.Popen([PROGRAM, "--quiet", tree], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        time.sleep(step * 0.004)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=120)
        # Before the handler stands, the signal simply ends the process.
        assert process.returncode in (130, -signal.SIGINT, 0), process.returncode
        assert errors == b"", errors
        check_some_of(out, expected)


def test_stop_json(tree):
    write_much(tree)
    with start_on_much(tree, "--json") as process:
        out, _ = stop(process, signal.SIGINT)
    text = json.loads(out)
    assert process.returncode == 130 and text["summary"]["stopped_by"] == "SIGINT"
    assert len(text["files"]) == text["summary"]["files"] == 500


def test_stop_when_the_output_is_not_read(tree):
    for i in range(5000):
        write(f"{tree}/a/{i:04}")
    reader, writer = os.pipe()
    with start("--quiet", tree, stdout=writer) as process:
        eventually(lambda: is_full(writer))
        os.close(writer)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)  # it ends without a reader
        with os.fdopen(reader, "rb") as stream:
            out = stream.read()
        errors = process.stderr.read()
    assert process.returncode == 130 and errors == b"", (process.returncode, errors)
    assert out.endswith(b"\n") and expected_lines(tree).startswith(out)


# ---- output that fails --------------------------------------------------------------------------


def test_full_disk(tree):
    write(f"{tree}/f")
    for options in [[], ["--json"]]:
        with open("/dev/full", "wb") as full:
            result = run(*options, tree, stdout=full)
        check_one_problem(result, "standard output: ", "No space left on device")


def test_reader_goes_away(tree):
    for i in range(5000):
        write(f"{tree}/{i}")
    process = subprocess.Popen([PROGRAM, tree], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=120) == 1
    assert b"standard output: " in errors and b"Broken pipe" in errors, errors


def test_closed_streams(tree):
    write(f"{tree}/f")
    errors = f"{tree}.errors"
    shell = f'"{PROGRAM}" "{tree}"'
    subprocess.run(["sh", "-c", f'{shell} >&- 2>"{errors}"; test $? = 1'], check=True)
    with open(errors, encoding="utf-8") as file:
        assert "standard output: " in file.read()
    os.unlink(errors)
    out = subprocess.run(["sh", "-c", f"{shell} <&- 2>&-"], check=True, stdout=subprocess.PIPE)
    check_equal(out.stdout, expected_lines(tree))


def test_output_that_does_not_wait(tree):
    for i in range(5000):
        write(f"{tree}/{i}")
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, fcntl.fcntl(writer, fcntl.F_GETFL) | os.O_NONBLOCK)
    with subprocess.Popen([PROGRAM, "--quiet", tree], stdout=writer) as process:
        eventually(lambda: is_full(writer))
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            check_equal(stream.read(), expected_lines(tree))
    assert process.returncode == 0


def main():
    names = sys.argv[2:]
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    failed = []
    for name, test in tests:
        if names and not any(part in name for part in names):
            continue
        tree = tempfile.mkdtemp(prefix="treesum_test_")
        begin = time.monotonic()
        try:
            print(name, end=" ", flush=True)
            test(tree)
            print(f"ok ({time.monotonic() - begin:.1f} s)", flush=True)
        except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as failure:
            print(f"FAILED: {type(failure).__name__}: {failure}", flush=True)
            failed.append(name)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
    print(f"{len(failed)} of the checks failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
