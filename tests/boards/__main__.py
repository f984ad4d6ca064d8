"""``python -m tests.boards NAME ...`` fetches what tests of boards and GPUs run on, into ``.boards/``."""

from __future__ import annotations

import sys

from tests.boards.adbd import make_adbd
from tests.boards.board import SYSTEMS, make_system
from tests.boards.debian import SetupError
from tests.boards.mesa import make_mesa

_OTHERS = {"mesa": make_mesa, "adbd": make_adbd}


def main(names: list[str]) -> int:
    """Makes each; says in one line what is missing."""
    known = (*_OTHERS, *SYSTEMS)
    if not names or set(names) - set(known):
        print(f"usage: python -m tests.boards {'|'.join(known)} ...", file=sys.stderr)
        return 2
    for name in names:
        try:
            folder = _OTHERS[name]() if name in _OTHERS else make_system(name)
        except SetupError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
