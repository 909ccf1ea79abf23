"""Generate a small dataset with the defaults, and read it back.

    python examples/generate.py [RUN]

Nothing is needed but promptcot: with no config every role is the embedded symbolic engine.
Run it twice: the second time it finds the finished run and asks nothing again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from promptcot.config import Execution, load
from promptcot.pipeline.run import generate
from promptcot.shards.reader import open_shards


def main(folder: Path) -> None:
    """Makes 100 problems and prints one of each phase."""
    config = load(None, ["target.accepted=100", "target.seed=1"])
    generate(config, folder, execution=Execution(workers=1))
    shards = open_shards(folder)
    for phase in shards.phases:
        example = next(shards.rows(phase))
        print(f"--- {phase}, difficulty {example.difficulty:.2f}, concepts {', '.join(example.concepts)}")
        print(example.prompt, example.completion, sep="\n\n", end="\n\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example"))
