"""``python -m tests.boards NAME ...`` fetches what tests of boards and GPUs run on, into ``.boards/``."""

from __future__ import annotations

import sys

from tests.boards.board import SYSTEMS, make_system
from tests.boards.debian import SetupError
from tests.boards.mesa import make_mesa


def main(names: list[str]) -> int:
    """Makes each; says in one line what is missing."""
    known = ("mesa", *SYSTEMS)
    if not names or set(names) - set(known):
        print(f"usage: python -m tests.boards {'|'.join(known)} ...", file=sys.stderr)
        return 2
    for name in names:
        try:
            folder = make_mesa() if name == "mesa" else make_system(name)
        except SetupError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
