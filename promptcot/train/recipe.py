"""How a model is trained: one frozen settings model, and the recipes that ship."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from promptcot.config import Settings, validate
from promptcot.errors import ConfigError
from promptcot.resources import unknown
from promptcot.seeding import fingerprint

__all__ = ["RECIPES", "TrainConfig", "load_recipe"]


class TrainConfig(Settings):
    """All that decides what a training does with its shards.

    The phases of the curriculum become stages, in their order. A run ends by exactly one of `epochs`,
    `tokens` and `seconds`; the learning rate follows the share of it that is done.

    Attributes:
        model: A preset's name, or a model folder to go on from (with its tokenizer).
        vocab_size: Most tokens of a tokenizer trained on the shards; of no effect with a folder.
        batch_tokens: Most tokens of one packed row.
        accumulate: Rows of one optimizer step.
        max_length: Documents of more tokens are left out, and counted.
        supervise: Learn the completions only, or the prompts as well.
        order: ``shards`` keeps the order of the rows, ``shuffled`` draws one for every epoch.
        revisit: Whether a stage also reads the phases before its own, lest they be forgotten.
        epochs: Passes over the documents of every stage.
        tokens: Tokens read in all; stages share them by their size, as they share `seconds`.
        seconds: Wall clock, for demonstrations: how far it comes depends on the machine.
        optimizer: Of the mixers' projections; everything else is trained by AdamW.
        lr: Peak learning rate of AdamW, and `matrix_lr` that of Muon.
        weight_decay: Of the projections only.
        clip: Most norm of the gradient.
        schedule: See `promptcot.train.optim.learning_rate_factor`.
        checkpoint_every: Optimizer steps between checkpoints; 0 is none.
        keep: Checkpoints kept.
    """

    model: str = "nano"
    vocab_size: int = Field(512, ge=258)
    seed: int = Field(0, ge=0, lt=2**63)
    batch_tokens: int = Field(1024, ge=1)
    accumulate: int = Field(1, ge=1)
    max_length: int = Field(1024, ge=2)
    supervise: Literal["completion", "all"] = "completion"
    order: Literal["shards", "shuffled"] = "shuffled"
    revisit: bool = True
    epochs: float | None = Field(None, gt=0)
    tokens: int | None = Field(None, ge=1)
    seconds: float | None = Field(None, gt=0)
    optimizer: Literal["adamw", "muon"] = "muon"
    lr: float = Field(6e-3, gt=0)
    matrix_lr: float = Field(0.03, gt=0)
    betas: tuple[float, float] = (0.9, 0.99)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(1.0, gt=0)
    schedule: Literal["constant", "cosine", "wsd"] = "wsd"
    warmup_steps: int = Field(20, ge=0)
    decay_share: float = Field(0.4, gt=0, le=1)
    checkpoint_every: int = Field(200, ge=0)
    keep: int = Field(2, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        if sum(limit is not None for limit in (self.epochs, self.tokens, self.seconds)) != 1:
            raise ValueError("give exactly one of epochs, tokens and seconds")
        if self.max_length > self.batch_tokens:
            raise ValueError(f"max_length {self.max_length} is above batch_tokens {self.batch_tokens}")
        return self

    def fingerprint(self) -> str:
        """Hash of every setting."""
        return fingerprint(self.model_dump_json())


RECIPES: dict[str, dict[str, Any]] = {
    # A small model from nothing, as in the demo: about a minute on two idle cores. By tokens and not by
    # seconds, so that every machine makes the same model of the same shards.
    "small": {"tokens": 400_000},
    # The published recipe of PromptCoT-Mamba (arXiv:2505.22425 and its training code): AdamW with
    # a short warm-up and then a constant rate, one epoch of each phase in turn. Its 64 examples a
    # step are 64 rows here; short examples share a row where it padded them.
    "paper": {
        "model": "codestral-7b",
        "batch_tokens": 20480,
        "accumulate": 64,
        "max_length": 20480,
        "order": "shards",
        "revisit": False,
        "epochs": 1.0,
        "optimizer": "adamw",
        "lr": 5e-6,
        "betas": (0.9, 0.95),
        "weight_decay": 0.01,
        "schedule": "constant",
        "warmup_steps": 100,
    },
}

_LIMITS = ("epochs", "tokens", "seconds")


def load_recipe(name: str, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """A shipped recipe with some settings replaced; a limit replaces the recipe's own.

    Raises:
        ConfigError: There is no such recipe, or a setting is unknown or does not fit.
    """
    if name not in RECIPES:
        raise ConfigError(unknown("recipe", name, RECIPES))
    overrides = dict(overrides or {})
    fields = dict(RECIPES[name])
    if any(limit in overrides for limit in _LIMITS):
        fields = {key: value for key, value in fields.items() if key not in _LIMITS}
    return validate(TrainConfig, {**fields, **overrides}, where=f"recipe {name}")
