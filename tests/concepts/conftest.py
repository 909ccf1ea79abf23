from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_lists(data_dir: Path) -> Path:
    """253 problems annotated with their concepts."""
    path = data_dir / "concepts" / "annotated_math.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path
