"""Measure how the code is arranged: lines, modules, modules per folder, names that occur more than once.

Usage: python .ci/structure.py [ROOT]
Exits with 1 if a folder holds more than 14 modules. `.ci/words.py` counts the words.
"""

import ast
import sys
from collections import Counter, defaultdict
from pathlib import Path

LIMIT = 14
PACKAGES = ("ledger_pipelines", "ledger_pipelines_tests")


def main(root: Path) -> int:
    """Print the figures of both packages; return the exit code."""
    full = []
    for package in PACKAGES:
        modules = [path for path in sorted(root.glob(f"{package}/**/*.py")) if "versions" not in path.parts]
        named = [path for path in modules if path.name != "__init__.py"]
        folders = Counter(path.parent.relative_to(root).as_posix() for path in named)
        classes = defaultdict(list)
        for path in modules:
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    classes[node.name].append(path.relative_to(root / package).with_suffix("").as_posix())
        stems = Counter(path.stem for path in named if path.stem not in {"__main__", "conftest"})
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules)
        print(f"{package}: {lines:,} lines, {len(named)} modules in {len(folders)} folders")
        print("  largest folders:", ", ".join(f"{folder} {count}" for folder, count in folders.most_common(5)))
        repeated = {name: places for name, places in sorted(classes.items()) if len(places) > 1}
        print(f"  class names that occur more than once: {len(repeated)}")
        for name, places in repeated.items():
            print(f"    {name}: {', '.join(places)}")
        twice = [f"{stem} {count}" for stem, count in stems.most_common() if count > 1]
        print(f"  module names that occur more than once: {len(twice)}: {', '.join(twice)}")
        full += [folder for folder, count in folders.items() if count > LIMIT]
    for folder in full:
        print(f"more than {LIMIT} modules: {folder}", file=sys.stderr)
    return bool(full)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
