from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from promptcot.ssd import model as models
from promptcot.train.recipe import TrainConfig


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small models gain nothing from more, and test workers share the cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_run() -> ModuleType:
    """The module that writes shards of small sums."""
    path = Path(__file__).resolve().parent.parent / "train" / "small_run.py"
    spec = importlib.util.spec_from_file_location("train_small_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def shards(small_run: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = small_run.write_small_run(tmp_path_factory.mktemp("run"))
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, small_run: ModuleType) -> Callable[..., TrainConfig]:
    """Makes recipes of a model that trains in no time, under the name of a preset."""
    monkeypatch.setitem(models.PRESETS, "tiny", small_run.TINY)

    def recipe(**changes: object) -> TrainConfig:
        fields = {"model": "tiny", "batch_tokens": 256, "max_length": 64, **changes}
        if not fields.keys() & {"epochs", "seconds"}:
            fields.setdefault("tokens", 6000)
        return TrainConfig.model_validate(fields)

    return recipe
