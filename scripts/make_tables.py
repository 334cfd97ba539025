"""Write the measured figures that documents quote, from ``scripts/results`` into the documents.

    python scripts/make_tables.py
    python scripts/make_tables.py --check

A document marks the place: a line ``<!-- table: NAME -->``, then the figures, then a line ``<!-- end -->``. What stands
between is replaced by the block of that name in ``scripts/quoted``. ``--check`` changes nothing and ends with status 1
where a document says something else than the results do.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from quoted import BLOCKS

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^(<!-- table: ([\w-]+) -->\n)(.*?)^(<!-- end -->)$", flags=re.DOTALL | re.MULTILINE)


def documents() -> list[Path]:
    """Return the documents that may quote results."""
    folders = (ROOT, ROOT / "docs", ROOT / "scripts", ROOT / "intdim" / "projections")
    return [path for folder in folders for path in sorted(folder.glob("*.md"))]


def filled(text: str) -> str:
    """Return a document with every block as the results have it.

    Raises:
        KeyError: a block has an unknown name.
    """
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[4]}", text)


def main() -> int:
    """Fill or compare all documents; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only; status 1 where a document differs")
    options = parser.parse_args()
    stale, quoted = [], set()
    for path in documents():
        text = path.read_text(encoding="utf-8")
        quoted |= {name for _, name, _, _ in BLOCK.findall(text)}
        fresh = filled(text)
        if fresh == text:
            continue
        stale.append(path)
        if not options.check:
            path.write_text(fresh, encoding="utf-8")
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'differs from the results' if options.check else 'written'}")
    unused = sorted(BLOCKS.keys() - quoted)
    if unused:
        print(f"quoted nowhere: {', '.join(unused)}", file=sys.stderr)
    return 1 if options.check and (stale or unused) else 0


if __name__ == "__main__":
    sys.exit(main())
