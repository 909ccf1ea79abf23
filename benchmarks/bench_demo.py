"""Wall time of the demo, command by command, and peak memory of each.

    python benchmarks/bench_demo.py [--config examples/demo.yaml] [--workers 2]

Runs the same commands as ``make demo`` in a scratch folder, each as a process of its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BUDGET_S = 240.0


def timed(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Wall seconds and peak MiB of one promptcot command; its output goes to our stderr."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "promptcot", *arguments], cwd=folder, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"promptcot {' '.join(arguments)}: exit {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Times the commands and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=REPOSITORY / "examples" / "demo.yaml")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    commands = {
        "generate": ["generate", "run", "--config", str(options.config), "--workers", str(options.workers)],
        "train": ["train", "run", "--model", "nano", "--recipe", "small"],
        "evaluate": ["evaluate", "run"],
        "report": ["report", "run"],
    }
    print(f"# {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'command':<10} {'seconds':>8} {'peak MiB':>9}")
    total = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for name, arguments in commands.items():
            seconds, peak = timed(arguments, Path(scratch))
            total += seconds
            print(f"{name:<10} {seconds:>8.1f} {peak:>9.0f}", flush=True)
    print(f"{'all':<10} {total:>8.1f}   budget {BUDGET_S:.0f}")


if __name__ == "__main__":
    main()
