"""Trains the SSD model on the shards of a run. Torch is loaded when a training starts, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptcot.train.recipe import RECIPES as RECIPES
from promptcot.train.recipe import TrainConfig as TrainConfig
from promptcot.train.recipe import load_recipe as load_recipe

if TYPE_CHECKING:
    from promptcot.train.lineage import TrainResult as TrainResult
    from promptcot.train.loop import Report as Report
    from promptcot.train.loop import train as train

__all__ = ["RECIPES", "Report", "TrainConfig", "TrainResult", "load_recipe", "train"]


def __getattr__(name: str) -> Any:
    if name in ("Report", "TrainResult", "train"):
        from promptcot.train import loop

        return getattr(loop, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
