#!/usr/bin/env python3
"""semantics_test.py ROOT: docs/semantics.md says of each rule whether it holds; the tests agree.

  numbered  the rules are numbered from 1 without a gap, each with one of the marks
  holds     a rule that holds, or in part, is named in a comment of a test: "Rule 3", "rules 4-6"
  planned   a planned rule is named in none: whoever writes its test changes the mark

Then each is broken on purpose in a scratch tree, to see that this test would notice.
"""

import re

import self_check

ROW = re.compile(r"^\| *(\d+) *\| *([a-z ]+?) *\| *(\S.*?) *\|$", re.MULTILINE)
MARKS = ("holds", "in part", "planned")
COMMENT = re.compile(r"(?://|#).*")
RANGE = r"\d+(?:\s*(?:-|to)\s*\d+)?"
NAMED = re.compile(rf"\brules?\s+({RANGE}(?:\s*(?:,\s*and|,|and)\s*{RANGE})*)", re.IGNORECASE)
SUFFIXES = (".cpp", ".hpp", ".py", ".sh")


def numbers(named):
    """All the numbers of "4 and 5" or "1-3, 7"."""
    for first, last in re.findall(r"(\d+)(?:\s*(?:-|to)\s*(\d+))?", named):
        yield from range(int(first), int(last or first) + 1)


def tested_rules(root):
    """Each rule that a test names, with the files."""
    rules = {}
    for file in sorted((root / "tests").rglob("*")):
        if file.suffix not in SUFFIXES or (root / "tests/docs") in file.parents:
            continue
        for comment in COMMENT.findall(file.read_text()):
            for named in NAMED.findall(comment):
                for number in numbers(named):
                    rules.setdefault(number, set()).add(str(file.relative_to(root)))
    return rules


def violations(root):
    rows = ROW.findall((root / "docs/semantics.md").read_text())
    tested = tested_rules(root)
    marks = {int(number): mark for number, mark, _ in rows}
    found = []
    if not rows or [int(number) for number, _, _ in rows] != list(range(1, len(rows) + 1)):
        found.append("the rules are not numbered one after the other")
    for number, mark in marks.items():
        if mark not in MARKS:
            found.append(f"rule {number} has an unknown mark: {mark}")
        elif mark == "planned" and number in tested:
            found.append(f"rule {number} is planned, but named in {sorted(tested[number])}")
        elif mark != "planned" and number not in tested:
            found.append(f"rule {number} {mark}, but no test names it")
    found += [f"there is no rule {number}, named in {sorted(tested[number])}"
              for number in sorted(tested.keys() - marks.keys())]
    return found


GOOD_PAGE = """| rule | today | |
|--:|---|---|
| 1 | holds | One. |
| 2 | in part | Two. |
| 3 | holds | Three. |
| 4 | planned | Four. |
"""
GOOD_TEST = "// Rule 1: one.\nint a;\n/// For rules 2 and 3.\nstring s = \"rule 4\";\n"

FILES = {"docs/semantics.md": GOOD_PAGE, "tests/a/a_test.cpp": GOOD_TEST,
         "tests/docs/own.py": "# rule 4\n"}

# In which file what is replaced, by what, and what must be said of it.
FAULTS = [
    ("docs/semantics.md", "| 3 |", "| 5 |",
     "not numbered", "rule 5 holds, but no test", "there is no rule 3"),
    ("docs/semantics.md", "| planned |", "| maybe |", "unknown mark"),
    ("docs/semantics.md", "| planned |", "| holds |", "rule 4 holds, but no test"),
    ("docs/semantics.md", "| in part |", "| planned |", "rule 2 is planned, but named"),
    ("tests/a/a_test.cpp", "Rule 1:", "Rule 4:",
     "rule 1 holds, but no test", "rule 4 is planned, but named"),
    ("tests/a/a_test.cpp", "rules 2 and 3", "rule 2", "rule 3 holds, but no test"),
    ("tests/a/a_test.cpp", "rules 2 and 3", "rules 1-3 and 5", "there is no rule 5"),
]


def check_this_test():
    yield from self_check.unnoticed(violations, FILES, FAULTS)
    if list(numbers("1-3, 7 and 9 to 10")) != [1, 2, 3, 7, 9, 10]:
        yield "ranges of rules are not understood"


self_check.main(violations, check_this_test, "the rules and the tests agree")
