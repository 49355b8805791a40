"""`python -m benchmarks [NAME …]`: runs benchmarks one after another and prints their figures.

Without a name all but the long ones: some ten minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys

from benchmarks.figures import HEADING, machine

#: In the order of their cost. Each is a module with `run()`, and a process of its own.
NAMES = (
    "work_queue",
    "lists",
    "pages",
    "tickets",
    "overhead",
    "rest",
    "pipeline",
    "cancellations",
    "soak",
    "scale",
)
ON_DEMAND = ("cancellations", "soak", "scale")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(NAMES)}; all but {', '.join(ON_DEMAND)} if none is given",
    )
    names = parser.parse_args().names or [name for name in NAMES if name not in ON_DEMAND]
    for name in names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name!r}; there are {', '.join(NAMES)}")
    if len(names) == 1:
        _run(names[0])
        return 0
    return max(
        subprocess.run([sys.executable, "-m", "benchmarks", name], check=False).returncode for name in names
    )


def _run(name: str) -> None:
    """Run one and print its table."""
    figures = importlib.import_module(f"benchmarks.{name}").run()
    print(f"\n{name}: {machine()}\n\n{HEADING}", *(figure.row() for figure in figures), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
