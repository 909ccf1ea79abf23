"""Records a second of the whole pipeline, and whether its memory stays flat.

    python benchmarks/bench_pipeline.py                  # 2,000 records on one and on two workers
    python benchmarks/bench_pipeline.py --memory         # peak memory of 10,000 and of 100,000 records

Every run is a process of its own that carries out the embedded default from the concept graph to
shards, in a folder that is removed after. `cpu_s` is what the main process used, `children_s` what
the workers used: on a machine that others use too, these say more than the wall clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def child(records: int, workers: int, folder: Path) -> None:
    from promptcot.config import Config, Execution, Target
    from promptcot.pipeline.run import generate

    started = time.perf_counter()
    config = Config(target=Target(accepted=records, seed=7))
    summary = generate(config, folder, execution=Execution(workers=workers))
    wall = time.perf_counter() - started
    usage, workers_usage = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    row = {
        "records": summary.accepted,
        "asked": summary.asked,
        "workers": workers,
        "wall_s": round(wall, 2),
        "records_per_s": round(summary.accepted / wall, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "children_s": round(workers_usage.ru_utime + workers_usage.ru_stime, 2),
        "peak_mib": round(usage.ru_maxrss / 1024, 1),
        "seconds": {name: round(value, 3) for name, value in summary.seconds.items()},
    }
    print(json.dumps(row))


def measured(records: int, workers: int) -> dict[str, object]:
    folder = Path(tempfile.mkdtemp(prefix="bench-pipeline-"))
    try:
        command = [sys.executable, __file__, "--child", str(records), str(workers), str(folder / "run")]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        row: dict[str, object] = json.loads(done.stdout)
        print(
            f"{row['records']:>8,} records, {workers} worker(s): {row['records_per_s']:>7} records/s, "
            f"main process {row['cpu_s']} s of CPU, peak {row['peak_mib']} MiB",
            file=sys.stderr,
        )
        return row
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--memory", action="store_true", help="measure memory instead of speed")
    parser.add_argument(
        "--sizes", type=int, nargs=2, default=(10_000, 100_000), help="runs to compare in memory"
    )
    parser.add_argument("--workers", type=int, default=1, help="workers of the memory runs")
    parser.add_argument("--child", nargs=3, metavar=("RECORDS", "WORKERS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(int(options.child[0]), int(options.child[1]), Path(options.child[2]))
        return
    if options.memory:
        small, large = (measured(size, options.workers) for size in options.sizes)
        growth = float(str(large["peak_mib"])) - float(str(small["peak_mib"]))
        print(json.dumps({"runs": [small, large], "growth_mib": round(growth, 1)}))
    else:
        print(json.dumps({"runs": [measured(options.records, workers) for workers in (1, 2)]}))


if __name__ == "__main__":
    main()
