"""Examples as Arrow tables and back: the columns of a shard, in one place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec

from promptcot.errors import ShardError
from promptcot.records import Example

COLUMNS = tuple(Example.__struct_fields__)
"""Names of a shard's columns, in their order: the fields of `Example`."""


@cache
def schema() -> Any:
    """The Arrow schema of a shard.

    ``measures`` is a list of ``{name, value}`` sorted by name: its keys differ from problem to
    problem, and a column for each would make the schema depend on the data.
    """
    import pyarrow as pa

    text, texts, real, whole = pa.string(), pa.list_(pa.string()), pa.float64(), pa.int32()
    measure = pa.struct([pa.field("name", text, False), pa.field("value", real, False)])
    kinds = dict.fromkeys(COLUMNS, text) | {
        "tests": texts,
        "concepts": texts,
        "difficulty": real,
        "tier": whole,
        "level": whole,
        "measures": pa.list_(measure),
    }
    return pa.schema([pa.field(name, kinds[name], nullable=False) for name in COLUMNS])


def to_table(examples: Sequence[Example]) -> Any:
    """A table of the examples, in their order."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [getattr(e, name) for e in examples] for name in COLUMNS}
    columns["measures"] = [
        [{"name": name, "value": value} for name, value in sorted(measures.items())]
        for measures in columns["measures"]
    ]
    return pa.table(columns, schema=schema())


def from_batch(batch: Any, where: str) -> Iterator[Example]:
    """The examples of an Arrow record batch.

    Raises:
        ShardError: A value is not of its column's kind.
    """
    for row in batch.to_pylist():
        row["measures"] = {entry["name"]: entry["value"] for entry in row["measures"]}
        try:
            yield msgspec.convert(row, Example)
        except msgspec.ValidationError as error:
            raise ShardError(f"{where}: not a row of a shard: {error}") from error
