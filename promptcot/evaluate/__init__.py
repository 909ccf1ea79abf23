"""Scores models on held-out problems. Torch is loaded when a scoring starts, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptcot.evaluate.scoring import Evaluation as Evaluation
    from promptcot.evaluate.scoring import Tier as Tier
    from promptcot.evaluate.scoring import evaluate as evaluate

__all__ = ["Evaluation", "Tier", "evaluate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from promptcot.evaluate import scoring

        return getattr(scoring, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
