"""Find phrases of the project's former dialect in docstrings, comments, strings, templates and docs.

Usage: python .ci/words.py [ROOT]
Prints each occurrence as file:line, and the rate per 1,000 words; exits with 1 if there is any. `make lint` runs it.
docs/glossary.md has the terms to use.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

PHRASES = re.compile(
    r"\b(whoever|whatever is|nobody|somebody|anew|besides?\s+it|of late|lately|so many|so long|for ever|for want of"
    r"|of itself|(?-i:is none)|no more|comes to|came to|hangs on|is told|told of|tells of|is said|likewise|thereby|thus"
    r"|in vain|by which|for which it|as it is there|such ones|lest|at once)\b",
    re.IGNORECASE,
)
JINJA = re.compile(r"\{[%{#].*?[%}#]\}")
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
WIDTH = 120
"""Columns at which Markdown is wrapped; tables, code blocks and lines without a space cannot be."""

GENERATED = {"docs/data-dictionary.md"}
FROZEN = {"versions", "words.py"}
"""Migrations keep the texts with which they were written; this module names the phrases."""


def texts_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string and comment; docstrings are strings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of what a file says."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from texts_of_python(source)
    else:
        prose = JINJA.sub("", source) if path.suffix == ".html" else source
        yield from enumerate(prose.splitlines(), start=1)


def unwrapped_lines(path: Path) -> Iterator[int]:
    """Yield the lines of a Markdown file that are wider than `WIDTH` and could be wrapped."""
    code = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        code ^= line.lstrip().startswith("```")
        if len(line) > WIDTH and not code and not line.startswith("|") and " " in line[:WIDTH].strip():
            yield number


def main(root: Path) -> int:
    """Print what is found; return the exit code."""
    files = [
        *root.glob("ledger_pipelines/**/*.py"),
        *root.glob("ledger_pipelines_tests/**/*.py"),
        *root.glob("examples/*.py"),
        *root.glob(".ci/*.py"),
        *root.glob("ledger_pipelines/**/*.html"),
        *root.glob("*.md"),
        *root.glob("docs/*.md"),
        *root.glob("ledger_pipelines_tests/**/*.md"),
    ]
    words = found = 0
    wide = []
    for path in sorted(path for path in files if FROZEN.isdisjoint(path.parts)):
        name = path.relative_to(root).as_posix()
        for line, text in texts_of(path):
            words += len(WORD.findall(text))
            for match in PHRASES.finditer(text):
                found += 1
                print(f"{name}:{line + text.count(chr(10), 0, match.start())}: {match.group()!r}")
        if path.suffix == ".md" and name not in GENERATED:
            wide += [f"{name}:{line}: wider than {WIDTH} columns" for line in unwrapped_lines(path)]
    print(*wide, sep="\n", end="\n" if wide else "")
    print(f"{found} phrases of the former dialect in {words:,} words: {1000 * found / max(words, 1):.2f} per 1,000")
    return bool(found or wide)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
