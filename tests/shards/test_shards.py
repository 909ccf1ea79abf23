from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptcot.errors import ResourceError, ShardError
from promptcot.shards import card, manifest
from promptcot.shards.files import replacing, write_atomic
from promptcot.shards.manifest import Manifest, PhaseFiles, ReasonCount, StageCount
from promptcot.shards.reader import open_shards
from promptcot.shards.table import COLUMNS
from promptcot.shards.writer import write_phase


def describe(*phases: PhaseFiles) -> Manifest:
    return Manifest(
        format=manifest.FORMAT,
        promptcot="0",
        pyarrow="0",
        config="c",
        graph="g | <script>",
        seed=1,
        completion="solution",
        sources={"graph g": "x"},
        target=5,
        asked=9,
        accepted=sum(phase.rows for phase in phases),
        phases=phases[:-1],
        held_out=phases[-1],
        tiers={"1": 3},
        domains={"arithmetic": 3},
        funnel=(StageCount(name="author", entered=9, kept=7),),
        rejections=(ReasonCount(stage="author", reason="refusal", count=2),),
    )


@pytest.fixture
def run(tmp_path, make_example):
    """A folder with two phases and a held-out one, of several files and row groups."""
    rows = {
        "foundation": [make_example(i) for i in range(2500)],
        "challenge": [],
        "held-out": [make_example(i, "held-out") for i in range(3)],
    }
    phases = [write_phase(tmp_path, name, iter(some), max_rows=1100) for name, some in rows.items()]
    made = describe(*phases)
    write_atomic(tmp_path / card.NAME, card.card(made).encode())
    write_atomic(tmp_path / manifest.NAME, manifest.encode(made))
    return tmp_path, rows


def test_what_is_written_is_read(run):
    folder, rows = run
    shards = open_shards(folder)
    shards.verify()
    assert shards.phases == ("foundation", "challenge")
    assert [len(phase.files) for phase in shards.manifest.every_phase()] == [3, 0, 1]
    for name, expected in rows.items():
        assert list(shards.rows(name)) == expected
        assert shards.count(name) == len(expected)
    with pytest.raises(ShardError, match="no phase 'nope'"):
        next(shards.rows("nope"))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_text_survives(tmp_path, make_example, data):
    text = st.text(st.characters(codec="utf-8"), max_size=50)
    changes = {name: data.draw(text) for name in ("prompt", "completion", "rationale", "answer")}
    names = data.draw(st.dictionaries(text, st.floats(allow_nan=False), max_size=4))
    row = msgspec.structs.replace(make_example(1), **changes, measures=names)
    phase = write_phase(tmp_path, "foundation", [row], max_rows=10)
    write_atomic(
        tmp_path / manifest.NAME, manifest.encode(describe(phase, PhaseFiles(name="held-out", rows=0)))
    )
    assert list(open_shards(tmp_path).rows("foundation")) == [row]


def test_equal_rows_give_equal_bytes_and_old_parts_go(tmp_path, make_example):
    rows = [make_example(i) for i in range(1500)]
    first = write_phase(tmp_path / "a", "x", iter(rows), max_rows=10_000)
    write_phase(tmp_path / "b", "x", iter(rows), max_rows=300)
    second = write_phase(tmp_path / "b", "x", iter(rows), max_rows=10_000)
    assert first == second
    assert [path.name for path in (tmp_path / "b" / "data" / "x").iterdir()] == ["part-00000.parquet"]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_every_change_is_refused(run):
    folder, _ = run
    path = folder / "data" / "held-out" / "part-00000.parquet"
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        flip(path, at)
        with pytest.raises(ShardError, match="not that of the manifest"):
            list(open_shards(folder).rows("held-out"))
        path.write_bytes(whole)
    for end in range(0, len(whole), 211):
        path.write_bytes(whole[:end])
        with pytest.raises(ShardError, match="bytes, the manifest says"):
            list(open_shards(folder).rows("held-out"))
    path.unlink()
    with pytest.raises(ShardError, match="cannot read"):
        open_shards(folder).verify()


def test_a_forged_manifest_cannot_make_other_files_shards(run, tmp_path_factory):
    folder, _ = run
    made = manifest.read(folder)
    path = folder / made.held_out.files[0].path
    path.write_bytes(b"PAR1 not parquet")
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    file = msgspec.structs.replace(made.held_out.files[0], bytes=16, sha256=sha)
    held_out = msgspec.structs.replace(made.held_out, files=(file,))
    write_atomic(folder / manifest.NAME, manifest.encode(msgspec.structs.replace(made, held_out=held_out)))
    with pytest.raises(ShardError, match="not readable as Parquet"):
        list(open_shards(folder).rows("held-out"))
    outside = msgspec.structs.replace(file, path="../secret.parquet")
    held_out = msgspec.structs.replace(made.held_out, files=(outside,))
    write_atomic(folder / manifest.NAME, manifest.encode(msgspec.structs.replace(made, held_out=held_out)))
    with pytest.raises(ShardError, match="leads out of the folder"):
        open_shards(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no manifest.json"),
        (b"{}", "not a manifest"),
        (b"\xff", "not a manifest"),
        (b'{"certificates": ' + b'{"a":' * 100_000, "not a manifest"),
    ],
)
def test_a_missing_or_broken_manifest(tmp_path, content, said):
    if content is not None:
        (tmp_path / manifest.NAME).write_bytes(content)
    with pytest.raises(ShardError, match=said):
        open_shards(tmp_path)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "x"
    write_atomic(path, b"before")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(ResourceError, match="No space left"):
        fail()
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_load_dataset_opens_every_phase_by_name(run, tmp_path_factory, monkeypatch):
    folder, rows = run
    cache = tmp_path_factory.mktemp("cache")
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    datasets.disable_progress_bars()
    assert datasets.get_dataset_config_names(str(folder)) == ["foundation", "held-out"]  # one is empty
    for phase, split in (("foundation", "train"), ("held-out", "test")):
        loaded = datasets.load_dataset(str(folder), phase, split=split, cache_dir=str(cache))
        assert loaded.column_names == list(COLUMNS)
        assert loaded.num_rows == len(rows[phase])
    default = datasets.load_dataset(str(folder), split="train", cache_dir=str(cache))
    assert default[7]["prompt"] == rows["foundation"][7].prompt
    assert default[7]["measures"] == [{"name": "depth", "value": 7.0}, {"name": "ops", "value": 1.0}]
    assert default[7]["concepts"] == ["a", "b"]


def test_another_run_in_a_folder_of_the_same_name_is_not_answered_from_the_cache(
    tmp_path, make_example, monkeypatch
):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    datasets.disable_progress_bars()
    for first, folder in ((0, tmp_path / "one" / "run"), (3, tmp_path / "two" / "run")):
        rows = [make_example(first + i) for i in range(3)]
        held_out = write_phase(folder, "held-out", iter(()), max_rows=9)
        made = describe(write_phase(folder, "foundation", iter(rows), max_rows=9), held_out)
        write_atomic(folder / card.NAME, card.card(made).encode())
        loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
        assert loaded["id"][:] == [row.id for row in rows]


def test_the_card_shows_nothing_as_markup(run):
    text = (run[0] / card.NAME).read_text(encoding="utf-8")
    assert "<script>" not in text.split("---", 2)[2]
    assert all(f"`{name}`" in text for name in COLUMNS)


@pytest.mark.parametrize(
    ("rows", "said"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (999_999, "100K<n<1M"), (10**6, "1M<n<10M"), (10**9, "1B<n<10B")],
)
def test_the_card_names_the_size_as_the_hub_does(rows, said):
    made = describe(PhaseFiles(name="foundation", rows=rows), PhaseFiles(name="held-out", rows=0))
    assert f"size_categories:\n- {said}\n" in card.card(made)
