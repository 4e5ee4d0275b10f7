"""What the tests of the documentation share: each looks at the tree, then breaks a small one."""

import pathlib
import sys
import tempfile


def unnoticed(violations, files, faults):
    """What `violations` misjudges: a tree of `files`, {name: text}, in which all is right, and the
    same tree with each of `faults` in it, (file, original, fault, what must be said of it)."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)

        def found_with(changed=None, text=None):
            for name, good in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text if name == changed else good)
            return violations(root)

        found = found_with()
        if found:
            yield f"a tree without violations is refused: {found}"
        for name, original, fault, *expected in faults:
            assert files[name].count(original) == 1, original
            found = found_with(name, files[name].replace(original, fault))
            if len(found) != len(expected) or not all(map(str.__contains__, found, expected)):
                yield f"{fault!r} instead of {original!r} in {name} is not noticed: {found}"


def main(violations, check_this_test, success):
    """Checks the tree that the command line names, then the test itself."""
    found = [*violations(pathlib.Path(sys.argv[1]).resolve()), *check_this_test()]
    if found:
        sys.exit("\n".join(found))
    print(success)
