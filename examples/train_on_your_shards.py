"""Train the nano SSD model on a run's shards, and score it on what was held out.

    promptcot generate runs/example -n 500 --config examples/demo.yaml
    python examples/train_on_your_shards.py runs/example [TOKENS]

Any folder of shards will do, from whatever backend: the trainer reads the manifest and nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from promptcot.evaluate import evaluate
from promptcot.train import load_recipe, train


def main(run: Path, tokens: int) -> None:
    """Trains, evaluates and prints the accuracy of each tier beside the majority answer's."""
    recipe = load_recipe("small", {"tokens": tokens})
    train(run, recipe=recipe, out=run / "model")
    result = evaluate(run / "model", run)
    print(f"held-out loss {result.loss_before:.3f} -> {result.loss_after:.3f}")
    for tier in result.tiers:
        print(f"tier {tier.tier}: {tier.correct}/{tier.n} right, majority answer {tier.majority:.0%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 400_000)
