from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from promptcot.seeding import derive, fingerprint, rng

SEEDS = st.integers(0, 2**63 - 1)
PARTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.integers(-(2**70), 2**70)
PATHS = st.lists(PARTS, max_size=4).map(tuple)
WRITTEN_SEED = 2674517009524784205
WRITTEN_DRAW = 0.30999480370181454
WRITTEN_HASH = "4fc56058b4df0ca122be9a2e429541d6"


@given(SEEDS, PATHS)
def test_a_seed_is_a_function_of_its_path_and_fits_63_bits(seed: int, path: tuple[str | int, ...]) -> None:
    assert derive(seed, *path) == derive(seed, *path)
    assert 0 <= derive(seed, *path) < 2**63
    assert rng(seed, *path).random() == rng(seed, *path).random()


@given(SEEDS, PATHS, PATHS)
def test_different_paths_give_different_seeds(
    seed: int, a: tuple[str | int, ...], b: tuple[str | int, ...]
) -> None:
    same = [(type(part), part) for part in a] == [(type(part), part) for part in b]
    assert (derive(seed, *a) == derive(seed, *b)) == same


@given(SEEDS, PARTS)
def test_a_neighbouring_seed_or_a_longer_path_shares_nothing(seed: int, part: str | int) -> None:
    assert len({derive(seed, part), derive(seed + 1, part), derive(seed, part, part), derive(seed)}) == 4


def test_a_digit_and_its_number_are_two_paths() -> None:
    assert derive(1, "2") != derive(1, 2)
    assert derive(1, "2,3") != derive(1, 2, 3)


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_a_fingerprint_knows_where_its_parts_end(a: list[bytes], b: list[bytes]) -> None:
    assert (fingerprint(*a) == fingerprint(*b)) == (a == b)


@given(st.text(st.characters(codec="utf-8")), st.integers(1, 32))
def test_text_is_its_bytes_and_the_size_is_kept(text: str, size: int) -> None:
    assert fingerprint(text, size=size) == fingerprint(text.encode(), size=size)
    assert len(fingerprint(text, size=size)) == 2 * size


def test_values_are_the_same_today_in_every_process() -> None:
    """Written down: runs of earlier releases must resume."""
    here = (derive(7, "recipe", 3), rng(7, "recipe", 3).random(), fingerprint("a", b"b"))
    assert here == (WRITTEN_SEED, WRITTEN_DRAW, WRITTEN_HASH)
    code = (
        "from promptcot.seeding import *; print((derive(7, 'recipe', 3), rng(7, 'recipe', 3).random(), "
        "fingerprint('a', b'b')))"
    )
    root = str(Path(__file__).resolve().parent.parent)
    environment = os.environ | {"PYTHONHASHSEED": "99", "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == repr(here)
