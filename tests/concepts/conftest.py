from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_lists() -> Path:
    """253 problems annotated with their concepts, which are no part of the project."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    path = Path(os.environ.get("PROMPTCOT_DATA", beside)) / "concepts" / "annotated_math.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there (set PROMPTCOT_DATA to the folder of test data)")
    return path
