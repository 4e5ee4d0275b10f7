#!/usr/bin/env python3
"""readme_test.py ROOT: what the documentation says of the tree can be found in the tree.

  links     a relative link leads to a file or folder, and to a heading that is there
  names     a path or <magpie/x.hpp> in `code` exists
  snippets  a C++ or CMake block is copied from the file that the comment above it names
  folders   the codemap of README.md names every folder, with a slash: `runtime/`
  status    what README.md calls not built yet has no header

Then each is broken on purpose in a scratch tree, to see that this test would notice.
"""

import re

import self_check

LAYERS = ("scheduler", "runtime", "combinators")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOURCE_OF_BLOCK = re.compile(r"<!-- (all|part) of (\S+) -->\s*\Z")
NEEDS_SOURCE = ("cpp", "c++", "cmake")
NAMED_FILE = re.compile(
    r"[\w./-]+\.(?:hpp|cpp|py|sh|md|txt|json|cmake|expected|in)|LICENSE|Makefile")
PLANNED_HEADING = "Not built yet"


def pages(root):
    """The documents that speak of the tree as it is."""
    named = [root / "README.md", root / "CHANGELOG.md", root / "CONTRIBUTING.md"]
    named += sorted(page for layer in LAYERS for page in (root / layer).glob("*.md"))
    return [page for page in named if page.exists()] + sorted((root / "docs").rglob("*.md"))


def folders(root):
    return {entry.name for entry in root.iterdir()
            if entry.is_dir() and not entry.name.startswith((".", "build"))}


def anchor(heading):
    """The fragment by which a heading is linked to."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text):
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.M)}


def check_links(page, prose):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists():
            yield f"no such file to link to: {target}"
        elif fragment and fragment not in anchors(file.read_text()):
            yield f"no such heading to link to: {target}"


def check_names(root, page, prose):
    for name in re.findall(r"`([^`\n]+)`", prose):
        header = re.fullmatch(r"<(magpie/[\w]+\.hpp)>", name)
        if header:
            # <magpie/x.hpp> stands for any of them.
            known = any((root / layer / header[1]).exists() for layer in LAYERS)
            if not known and header[1] != "magpie/x.hpp":
                yield f"no such public header: {name}"
            continue
        in_tree = re.fullmatch(r"[\w./-]+", name) and name.split("/")[0] in folders(root)
        if not (in_tree and "/" in name) and not NAMED_FILE.fullmatch(name):
            continue
        if not (root / name).exists() and not (page.parent / name).exists():
            yield f"no such file: {name}"


def check_snippets(root, text):
    for block in FENCED.finditer(text):
        language, content = block.groups()
        source = SOURCE_OF_BLOCK.search(text[:block.start()])
        if source is None:
            if language in NEEDS_SOURCE:
                yield f"a block of {language} without the file it comes from"
            continue
        extent, name = source.groups()
        file = root / name
        original = file.read_text() if file.exists() else ""
        if content != original if extent == "all" else content not in original:
            yield f"a block differs from {name}"


def check_folders(root, text):
    for folder in sorted(folders(root)):
        if f"`{folder}/`" not in text:
            yield f"the codemap lacks {folder}/"


def check_status(root, text):
    planned = re.search(rf"^#+ {PLANNED_HEADING}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    if planned is None:
        yield f"no heading: {PLANNED_HEADING}"
        return
    for name in re.findall(r"`(\w+)`", planned[1]):
        if any((root / layer / "magpie" / f"{name}.hpp").exists() for layer in LAYERS):
            yield f"said not to be built yet: {name}"


def violations(root):
    found = []
    for page in pages(root):
        text = page.read_text()
        prose = FENCED.sub("", text)
        where = page.relative_to(root)
        found += [f"{where}: {what}" for what in check_links(page, prose)]
        # One tells how to add a concept, with files that are not there, the other what once was.
        if page.name != "CONTRIBUTING.md" and page.parent.name != "decisions":
            found += [f"{where}: {what}" for what in check_names(root, page, prose)]
            found += [f"{where}: {what}" for what in check_snippets(root, text)]
    readme = (root / "README.md").read_text()
    found += [f"README.md: {what}" for what in check_folders(root, readme)]
    found += [f"README.md: {what}" for what in check_status(root, readme)]
    return found


GOOD = """# Name
`runtime/` `runtime/task.cpp` `<magpie/task.hpp>` [here](runtime/task.cpp) [there](#name-two)
`docs/`
## Name two
<!-- all of runtime/task.cpp -->
```cpp
int one;
int two;
```
<!-- part of runtime/task.cpp -->
```cpp
int two;
```
## Not built yet
`race`
"""

FILES = {
    "README.md": GOOD,
    "build/of/no/concern.md": "`gone.hpp`\n",
    "docs/page.md": "`docs/page.md`\n",
    "runtime/magpie/task.hpp": "",
    "runtime/task.cpp": "int one;\nint two;\n",
}

# In which file what is replaced, by what, and what must be said of it.
FAULTS = [
    ("README.md", "(runtime/task.cpp)", "(runtime/frame.cpp)", "no such file to link to"),
    ("README.md", "(#name-two)", "(#name-three)", "no such heading to link to"),
    ("README.md", "`runtime/task.cpp`", "`runtime/frame.cpp`", "no such file"),
    ("README.md", "`runtime/task.cpp`", "`gone.hpp`", "no such file"),
    ("README.md", "<magpie/task.hpp>", "<magpie/frame.hpp>", "no such public header"),
    ("README.md", "int one;\n", "int one;\n\n", "a block differs"),
    ("README.md", "```cpp\nint two", "```cpp\nint  two", "a block differs"),
    ("README.md", "<!-- part of runtime/task.cpp -->\n", "", "a block of cpp without"),
    ("README.md", "`runtime/` ", "", "the codemap lacks"),
    ("README.md", "`race`", "`task`", "said not to be built yet"),
    ("README.md", "## Not built yet", "## Later", "no heading"),
    ("docs/page.md", "page", "gone", "docs/page.md: no such file: docs/gone.md"),
]

self_check.main(violations, lambda: self_check.unnoticed(violations, FILES, FAULTS),
                "the documentation agrees with the tree")
