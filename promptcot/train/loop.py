"""The training loop: stages of a curriculum, packed rows, one optimizer step after the other."""

from __future__ import annotations

import json
import math
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import torch

from promptcot.errors import CheckpointError, ResourceError
from promptcot.shards.files import cannot_write, write_atomic
from promptcot.shards.reader import ShardSet, open_shards
from promptcot.ssd.hf import CONFIG, WEIGHTS, read_model, write_model
from promptcot.ssd.model import PRESETS, Mamba2LM, init_weights, preset
from promptcot.train import checkpoint as checkpoints
from promptcot.train.data import Batch, Corpus, Packer, collate, read_corpus, read_texts
from promptcot.train.lineage import TrainResult, finished, identity, other_model, write_lineage
from promptcot.train.optim import build_optimizers, learning_rate_factor, set_learning_rates
from promptcot.train.recipe import TrainConfig
from promptcot.train.tokenizer import Codec, train_codec

__all__ = ["METRICS", "Report", "train"]

METRICS = "metrics.jsonl"
_VOCABULARY_MULTIPLE = 16


@dataclass(frozen=True, slots=True)
class Report:
    """One optimizer step.

    Attributes:
        done: Share of the run that is done, 0 to 1.
        loss: Mean over the step's supervised tokens.
        seconds: Since the training began, time before an interruption included.
        eta_seconds: Until it ends, at the pace so far.
    """

    step: int
    stage: str
    done: float
    loss: float
    lr: float
    grad_norm: float
    tokens: int
    supervised: int
    seconds: float
    tokens_per_second: float
    eta_seconds: float


Progress = Callable[[Report], None]


@dataclass
class _Run:
    """All that changes while training; what `position` gives is what a checkpoint holds."""

    step: int = 0
    tokens: int = 0
    supervised: int = 0
    seconds: float = 0.0
    stage: int = 0
    stages: list[dict[str, Any]] = field(default_factory=list)

    def position(self, packer: Packer, made_of: str) -> dict[str, Any]:
        return {**asdict(self), "packer": packer.state(), "made_of": made_of}


def train(
    folder: Path,
    *,
    recipe: TrainConfig,
    out: Path,
    progress: Progress | None = None,
    device: str = "cpu",
) -> TrainResult:
    """Trains a model on the shards of a run folder. Interrupted, the same call goes on where it stopped.

    Args:
        folder: A run folder: its manifest and shards.
        recipe: How to train.
        out: Where the model folder is made: the model, its tokenizer, ``lineage.json`` with what it was made
            from, ``metrics.jsonl`` with a line for every step.
        progress: Told of every step.
        device: Where to compute.

    Raises:
        ShardError: A shard is not what its manifest says.
        ConfigError: `out` holds a model made in another way.
        CheckpointError: A checkpoint is damaged, or the loss is not a number any more.
    """
    shards = open_shards(folder)
    made_of = identity(folder, recipe)
    if done := finished(out, made_of):
        return done
    trainer = _Trainer(shards, recipe, out, made_of, torch.device(device))
    trainer.run(progress)
    return trainer.finish()


class _Trainer:
    """A run in the making: its data, model and optimizers, set up anew or from the newest checkpoint."""

    def __init__(
        self, shards: ShardSet, recipe: TrainConfig, out: Path, made_of: str, device: torch.device
    ) -> None:
        self.shards, self.recipe, self.out = shards, recipe, out
        self.made_of, self.device = made_of, device
        _make_folder(out)
        saved = checkpoints.latest(out)
        state = checkpoints.read_state(saved) if saved else None
        if state and state["made_of"] != made_of:
            raise other_model(out)
        self.model, self.codec = self._model(saved)
        self.corpus = read_corpus(shards, self.codec, max_length=recipe.max_length)
        self.optimizers = build_optimizers(
            self.model,
            optimizer=recipe.optimizer,
            lr=recipe.lr,
            matrix_lr=recipe.matrix_lr,
            betas=recipe.betas,
            eps=recipe.eps,
            weight_decay=recipe.weight_decay,
        )
        self.stages = _stages(self.corpus, recipe)
        self.now = _Run()
        if saved and state:
            checkpoints.load_optimizers(saved, self.model, self.optimizers)
            packer_state = state.pop("packer")
            del state["made_of"]
            self.now = _Run(**state)
            self.packer = self._packer()
            self.packer.restore(packer_state)
        else:
            self.packer = self._packer()
        self.resumed_at = self.now.step

    def run(self, progress: Progress | None) -> None:
        """Steps until the limit is reached. An interruption leaves a checkpoint behind."""
        began = time.monotonic() - self.now.seconds
        every = self.recipe.checkpoint_every
        with _metrics(self.out, self.now.step) as metrics, _signals_between_steps() as signals:
            while batches := self._next_rows():
                report = self._step(batches, began)
                _write_line(metrics, asdict(report))
                if progress:
                    progress(report)
                if signals or (every and self.now.step % every == 0):
                    self._save()
                if signals:
                    raise KeyboardInterrupt

    def finish(self) -> TrainResult:
        """Writes the model folder, the lineage last: with it, the folder is whole."""
        files = self.codec.files()
        write_model(self.out, self.model, self.codec.special, files)
        result = TrainResult(
            folder=self.out,
            steps=self.now.step,
            tokens=self.now.tokens,
            supervised=self.now.supervised,
            seconds=round(self.now.seconds, 3),
            loss=_last_tenth(self.out / METRICS),
            parameters=sum(parameter.numel() for parameter in self.model.parameters()),
            documents=len(self.corpus.ids),
            too_long=self.corpus.too_long,
            resumed_at=self.resumed_at,
        )
        names = [WEIGHTS, CONFIG, *files]
        write_lineage(self.shards, self.recipe, self.model.config, self.now.stages, result, names)
        shutil.rmtree(self.out / checkpoints.FOLDER, ignore_errors=True)
        return result

    def _model(self, saved: Path | None) -> tuple[Mamba2LM, Codec]:
        source = saved or (None if self.recipe.model in PRESETS else Path(self.recipe.model))
        if source is not None:
            loaded = read_model(source, device=self.device)
            codec = Codec.load(source, loaded.tokens)
            if codec.size > loaded.model.config.vocab_size:
                raise CheckpointError(
                    f"{source}: its tokenizer has {codec.size} tokens, its model "
                    f"{loaded.model.config.vocab_size}",
                    remedy="take the tokenizer that the model was made with",
                )
            return loaded.model, codec
        codec = train_codec(read_texts(self.shards), vocab_size=self.recipe.vocab_size)
        rows = -(-codec.size // _VOCABULARY_MULTIPLE) * _VOCABULARY_MULTIPLE
        model = Mamba2LM(preset(self.recipe.model, vocab_size=rows))
        return init_weights(model, self.recipe.seed).to(self.device), codec

    def _packer(self) -> Packer:
        stage = self.stages[self.now.stage]
        epochs = self.recipe.epochs
        return Packer(
            self.corpus,
            stage.documents,
            self.recipe.batch_tokens,
            order=self.recipe.order,
            seed=self.recipe.seed,
            stage=self.now.stage,
            limit=None if epochs is None else max(1, round(epochs * len(stage.documents))),
        )

    def _done(self) -> float:
        """Share of the run that is done."""
        recipe = self.recipe
        if recipe.seconds is not None:
            return self.now.seconds / recipe.seconds
        return self.now.tokens / (recipe.tokens or self._planned_tokens())

    def _planned_tokens(self) -> float:
        return sum(stage.tokens for stage in self.stages) * (self.recipe.epochs or 0.0)

    def _next_rows(self) -> list[Batch]:
        """The rows of the next step, of the next stage where one is over; none at the end."""
        recipe = self.recipe
        while True:
            over = recipe.epochs is None and self._done() >= self.stages[self.now.stage].until
            rows = [] if over else [row for _ in range(recipe.accumulate) if (row := self.packer.take())]
            if rows:
                return [
                    collate(self.corpus, row, supervise=recipe.supervise, device=self.device) for row in rows
                ]
            if self.now.stage + 1 == len(self.stages):
                return []
            self.now.stage += 1
            self.packer = self._packer()

    def _step(self, batches: list[Batch], began: float) -> Report:
        """Forward, backward and update on all rows of a step."""
        recipe, now = self.recipe, self.now
        factor = learning_rate_factor(
            recipe.schedule,
            self._done(),
            now.step,
            warmup_steps=recipe.warmup_steps,
            decay_share=recipe.decay_share,
        )
        set_learning_rates(self.optimizers, factor)
        supervised = sum(batch.supervised for batch in batches)
        loss = 0.0
        for batch in batches:
            share = self.model.loss(batch.input_ids, batch.targets, batch.cu_seqlens) / max(1, supervised)
            share.backward()  # type: ignore[no-untyped-call]
            loss += share.item()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip).item()
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise self._not_finite(batches, loss, norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self._count(batches, supervised, began)
        return Report(
            step=now.step,
            stage=self.stages[now.stage].name,
            done=min(1.0, self._done()),
            loss=loss,
            lr=recipe.lr * factor,
            grad_norm=norm,
            tokens=now.tokens,
            supervised=now.supervised,
            seconds=round(now.seconds, 3),
            tokens_per_second=round(now.tokens / max(now.seconds, 1e-9), 1),
            eta_seconds=round(now.seconds * max(0.0, 1 / max(self._done(), 1e-9) - 1), 1),
        )

    def _count(self, batches: list[Batch], supervised: int, began: float) -> None:
        now = self.now
        tokens = sum(batch.input_ids.numel() for batch in batches)
        now.step += 1
        now.tokens += tokens
        now.supervised += supervised
        now.seconds = time.monotonic() - began
        while len(now.stages) <= now.stage:
            number = len(now.stages)
            name = self.stages[number].name
            documents = len(self.stages[number].documents)
            now.stages.append({"stage": name, "documents": documents, "steps": 0, "tokens": 0})
        now.stages[now.stage]["steps"] += 1
        now.stages[now.stage]["tokens"] += tokens

    def _save(self) -> None:
        position = self.now.position(self.packer, self.made_of)
        checkpoints.save(self.out, self.model, self.codec, self.optimizers, position, keep=self.recipe.keep)

    def _not_finite(self, batches: list[Batch], loss: float, norm: float) -> CheckpointError:
        path = self.out / f"not-finite-step-{self.now.step + 1}.json"
        ids = [self.corpus.ids[document] for batch in batches for document in batch.documents]
        rows = [
            {
                "input_ids": batch.input_ids[0].tolist(),
                "targets": batch.targets[0].tolist(),
                "cu_seqlens": batch.cu_seqlens.tolist(),
            }
            for batch in batches
        ]
        content = {"step": self.now.step + 1, "loss": str(loss), "grad_norm": str(norm), "examples": ids}
        write_atomic(path, json.dumps({**content, "rows": rows}).encode())
        return CheckpointError(
            f"step {self.now.step + 1}: the loss is {loss}, the norm of its gradient {norm}; "
            f"the batch is saved as {path}",
            remedy="lower the learning rate or look at the batch",
        )


@dataclass(frozen=True, slots=True)
class _Stage:
    """A stage: its phase's documents, or those of the phases before it as well.

    Attributes:
        until: Share of the run after which the next stage begins.
    """

    name: str
    documents: range
    tokens: int
    until: float


def _stages(corpus: Corpus, recipe: TrainConfig) -> list[_Stage]:
    spans = [
        (name, range(0 if recipe.revisit else first, last))
        for name, first, last in corpus.phases
        if last > first
    ]
    sizes = [int(corpus.offsets[span.stop] - corpus.offsets[span.start]) for _, span in spans]
    stages, read = [], 0
    for (name, span), size in zip(spans, sizes, strict=True):
        read += size
        stages.append(_Stage(name, span, size, read / sum(sizes)))
    return stages


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"cannot make {out}: {error.strerror or error}") from error


def _metrics(out: Path, step: int) -> TextIO:
    """The metrics file, open for what comes after `step`: a run that was killed may have written more."""
    path = out / METRICS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[:step] if path.exists() else []
        write_atomic(path, "".join(f"{line}\n" for line in lines).encode())
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error


def _write_line(file: TextIO, data: dict[str, Any]) -> None:
    try:
        file.write(json.dumps(data) + "\n")
        file.flush()
    except OSError as error:
        raise cannot_write(Path(file.name), error) from error


def _last_tenth(metrics: Path) -> float:
    """Mean loss of the last tenth of the steps."""
    losses = [json.loads(line)["loss"] for line in metrics.read_text(encoding="utf-8").splitlines()]
    last = losses[-max(1, len(losses) // 10) :]
    return float(round(sum(last) / max(1, len(last)), 6))


@contextmanager
def _signals_between_steps() -> Iterator[list[int]]:
    """Holds back SIGINT and SIGTERM: a step is done whole. Gives the list in which they are noted.

    Elsewhere than in the main thread, where Python delivers signals, nothing is held back.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: noted.append(number)) for number in numbers]
    try:
        yield noted
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
