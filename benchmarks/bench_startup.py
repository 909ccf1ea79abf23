"""How long ``promptcot --help`` takes, beside an empty Python: ``python benchmarks/bench_startup.py``.

Runs alternate, so that a machine that slows down slows both; the best and the median are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import click'": ["-c", "import click"],
    "promptcot --help": ["-m", "promptcot", "--help"],
    "promptcot generate --help": ["-m", "promptcot", "generate", "--help"],
}
LIMIT_S = 0.3


def timed(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    for arguments in COMMANDS.values():
        timed(arguments)  # warms the disk's cache and writes bytecode
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, arguments in COMMANDS.items():
            times[name].append(timed(arguments))
    rows = {name: {"best_s": min(t), "median_s": statistics.median(t)} for name, t in times.items()}
    for name, row in rows.items():
        print(f"{name:<28} best {row['best_s']:.3f} s   median {row['median_s']:.3f} s", file=sys.stderr)
    print(json.dumps({"runs": runs, "limit_s": LIMIT_S, "commands": rows}))
    if rows["promptcot --help"]["best_s"] > LIMIT_S:
        sys.exit(f"promptcot --help took more than {LIMIT_S} s at its best")


if __name__ == "__main__":
    main()
