"""From the decisions to the shards: sorted by SQL, streamed row by row, the manifest last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from promptcot import __version__
from promptcot.config import Config
from promptcot.curriculum import HELD_OUT, Placement, example
from promptcot.errors import ShardError
from promptcot.pipeline.ledger import Ledger
from promptcot.pipeline.parts import Parts, certificates
from promptcot.pipeline.summary import counts, funnel, reason_counts
from promptcot.records import Example
from promptcot.seeding import fingerprint
from promptcot.shards import card, manifest
from promptcot.shards.files import write_atomic
from promptcot.shards.manifest import Manifest, PhaseFiles
from promptcot.shards.reader import open_shards
from promptcot.shards.writer import write_phase


def is_finished(folder: Path, config: Config) -> bool:
    """Whether the folder's shards are there, whole and of this config."""
    try:
        shards = open_shards(folder)
        shards.verify()
    except ShardError:
        return False
    return shards.manifest.config == config.fingerprint() and (folder / card.NAME).is_file()


def write_shards(folder: Path, config: Config, parts: Parts, ledger: Ledger) -> Manifest:
    """Writes every phase, then the card, then the manifest: with that one the run is finished.

    Raises:
        ResourceError: A file cannot be written.
    """
    (folder / manifest.NAME).unlink(missing_ok=True)
    written = [
        write_phase(folder, phase, _rows(ledger, phase, config), max_rows=config.shards.max_rows)
        for phase in (*(phase.name for phase in config.curriculum.phases), HELD_OUT)
    ]
    made = _manifest(config, parts, ledger, written)
    write_atomic(folder / card.NAME, card.card(made).encode())
    write_atomic(folder / manifest.NAME, manifest.encode(made))
    return made


def _rows(ledger: Ledger, phase: str, config: Config) -> Iterator[Example]:
    for tier, candidate in ledger.arranged(phase):
        yield example(candidate, Placement(phase, tier, 0.0), config.shards.completion)


def _models(parts: Parts) -> dict[str, str]:
    """Who answered, for the world to see: the model, and a hash in place of the endpoint's address."""
    return {
        f"backend {role}": f"{backend.model} {fingerprint(backend.identity, size=8)}"
        for role, backend in parts.backends.items()
    }


def _manifest(config: Config, parts: Parts, ledger: Ledger, written: list[PhaseFiles]) -> Manifest:
    import pyarrow

    reasons = reason_counts(ledger.reader)
    asked = ledger.frontier()
    certified = certificates(parts.filters)
    for name, certificate in certified.items():
        certificate["dropped"] = {row.reason: row.count for row in reasons if row.stage == name}
    return Manifest(
        format=manifest.FORMAT,
        promptcot=__version__,
        pyarrow=pyarrow.__version__,
        config=config.fingerprint(),
        graph=parts.graph,
        seed=config.target.seed,
        completion=config.shards.completion,
        sources=parts.sources | _models(parts),
        target=config.target.accepted,
        asked=asked,
        accepted=sum(phase.rows for phase in written),
        phases=tuple(phase for phase in written if phase.name != HELD_OUT),
        held_out=next(phase for phase in written if phase.name == HELD_OUT),
        tiers=counts(ledger.reader, "tier"),
        domains=counts(ledger.reader, "domain"),
        funnel=funnel(ledger.meta("stages"), asked, reasons),
        rejections=tuple(reasons),
        certificates=certified,
    )
