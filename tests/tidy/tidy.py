#!/usr/bin/env python3
"""Holds the rules of docs/ARCHITECTURE.md: who includes whom, heavy headers, sizes, banned calls. One case per rule.

A new offence fails. Offences that are older than their rule stand in ratchet.txt as `rule path`; entries whose offence
is gone are removed by `tidy.py --tighten`, so the list only shrinks.
"""
import fnmatch
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rules  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def tracked():
    command = ["git", "ls-files", "-c", "-o", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted(path for path in set(listing.stdout.splitlines()) if (ROOT / path).is_file())


def table(text, heading):
    """Rows of the first table below a heading, as lists of cells."""
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


class Tree:
    def __init__(self):
        self.files = tracked()
        readable = [f for f in self.files if self.is_source(f) or f.endswith(".md")]
        self.text = {f: (ROOT / f).read_text(errors="replace") for f in readable}
        self.sources = [f for f in self.files if self.is_source(f)]
        page = self.text["docs/ARCHITECTURE.md"]
        self.folders = {row[0]: self.allowed(row[2]) for row in table(page, "Folders")}
        self.heavy = [(row[0].split(), row[1].split()) for row in table(page, "Heavy headers")]

    @staticmethod
    def is_source(path):
        return path.endswith((".h", ".cc", ".py", ".sh")) or path in ("dev", ".ci/run")

    @staticmethod
    def allowed(cell):
        """(all folders?, names): the folders that may be included, or with `everything but` those that may not."""
        if cell.startswith("everything"):
            return True, cell.split()[2:]
        return False, [name for name in cell.split() if name != "–"]

    def includes(self, path):
        for number, line in enumerate(self.text[path].splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1), match.group(2)


def cpp(tree):
    return [f for f in tree.sources if f.endswith((".h", ".cc")) and not f.startswith("cmake/")]


def inside(path, folder):
    return path == folder or path.startswith(folder + "/")


def rule_folders(tree):
    """a folder includes only what its row of the table allows"""
    for path in cpp(tree):
        folder = path.split("/")[0]
        if folder not in tree.folders:
            yield path, f"{folder} has no row in the folder table"
            continue
        everything, names = tree.folders[folder]
        for number, mark, target in tree.includes(path):
            if mark != '"':
                continue
            if not (ROOT / target).is_file():
                yield path, f":{number} {target} is not a path from the root"
            elif not inside(target, folder):
                listed = any(inside(target, name) for name in names)
                if listed if everything else not listed:
                    yield path, f":{number} includes {target}"


def rule_heavy(tree):
    """heavy headers are included by the listed source files only"""
    for path in cpp(tree):
        for number, mark, target in tree.includes(path):
            for prefixes, files in tree.heavy if mark == "<" else []:
                if any(target == p or target.startswith((p + "/", p + ".")) for p in prefixes):
                    if not any(fnmatch.fnmatch(path, pattern) for pattern in files):
                        yield path, f":{number} includes <{target}>"


def rule_line_length(tree):
    """no line is longer than the limit"""
    for path in tree.sources:
        for number, line in enumerate(tree.text[path].splitlines(), 1):
            if len(line) > rules.LINE_MAX:
                yield path, f":{number} has {len(line)} characters"


def rule_file_length(tree):
    """no file is longer than the limit"""
    for path in tree.sources:
        lines = tree.text[path].count("\n")
        if lines > rules.FILE_MAX:
            yield path, f" has {lines} lines"


NOT_A_FUNCTION = re.compile(
    r"^\s*(namespace|class|struct|enum|union|extern|template|public|private)\b|=\s*\{$|^\s*(#|//)")


def rule_function_length(tree):
    """no function is longer than the limit"""
    for path in cpp(tree):
        start, indent = None, ""
        for number, line in enumerate(tree.text[path].splitlines(), 1):
            spaces = line[: len(line) - len(line.lstrip())]
            if start is None and len(spaces) <= 2 and line.endswith("{") and not NOT_A_FUNCTION.search(line):
                start, indent = number, spaces
            elif start is not None and line.startswith(indent + "}"):
                if number - start + 1 > rules.FUNCTION_MAX:
                    yield path, f":{start} has {number - start + 1} lines"
                start = None


def rule_headers(tree):
    """every header opens with a comment and has #pragma once"""
    for path in cpp(tree):
        if path.endswith(".h"):
            if "#pragma once" not in tree.text[path]:
                yield path, " lacks #pragma once"
            if not tree.text[path].startswith("//"):
                yield path, " does not open with a comment that says what it is and why"


def rule_readme(tree):
    """every folder of sources has a README.md"""
    folders = {str(Path(f).parent) for f in cpp(tree)}
    for folder in sorted(folders):
        if not folder.startswith("tests/unit") and f"{folder}/README.md" not in tree.text:
            yield folder, " has no README.md"


def rule_banned(tree):
    """no banned call"""
    for pattern, instead, allowed in rules.BANNED:
        expression = re.compile(pattern)
        for path in cpp(tree):
            if any(inside(path, name) for name in allowed):
                continue
            for number, line in enumerate(tree.text[path].splitlines(), 1):
                match = expression.search(re.sub(r'"(\\.|[^"\\])*"', '""', line).split("// ")[0])
                if match:
                    yield path, f":{number} `{match.group(0)}`: use {instead}"


def rule_no_private_paths(tree):
    """nothing names a path of the machine it was written on"""
    for path, text in tree.text.items():
        if path != "tests/tidy/tidy.py":
            for match in re.finditer(r"/(work|root|home/\w+)/[\w.]+", text):
                yield path, f" names {match.group(0)}"


def rule_tests_mirror_sources(tree):
    """a unit test lies in the folder of its library and is named after what it tests"""
    for path in tree.files:
        if path.startswith("tests/unit/") and path.endswith(".cc") and path != "tests/unit/main.cc":
            if not path.endswith("_test.cc"):
                yield path, " is not named *_test.cc"
            if path.split("/")[2] not in tree.folders:
                yield path, " lies in no folder of the table"


def main():
    tree = Tree()
    ratchet_file = ROOT / "tests/tidy/ratchet.txt"
    ratchet = {line for line in ratchet_file.read_text().splitlines() if line and not line.startswith("#")}
    unused, failed, passed = set(ratchet), 0, 0
    for name, rule in sorted((n[5:], f) for n, f in globals().items() if n.startswith("rule_")):
        offences = []
        for path, what in rule(tree):
            unused.discard(f"{name} {path}")
            if f"{name} {path}" not in ratchet:
                offences.append(f"  {path}{what}")
        passed, failed = (passed, failed + 1) if offences else (passed + 1, failed)
        print(f"{'FAILED' if offences else 'ok    '} {rule.__doc__ or name}")
        print("".join(line + "\n" for line in offences), end="")
    if "--tighten" in sys.argv:
        ratchet_file.write_text("".join(line for line in ratchet_file.open() if line.strip() not in unused))
    elif unused:
        print(f"note: {len(unused)} lines of ratchet.txt have no offence any more; remove them with tidy.py --tighten")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
