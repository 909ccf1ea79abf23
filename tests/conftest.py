"""What every test shares: where real data may be found, and quiet, equal conditions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A deadline is a timed assertion: on a busy machine it fails what is right.
settings.register_profile("promptcot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("promptcot")

# One thread for every torch, in tests and in the processes that they start: the suite runs a worker on
# each core, and torch's threads spin while they wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Triton reads this when a kernel is decorated, its own ones included, so it is set before anything imports
# Triton: without a GPU the kernels run through the interpreter.
if shutil.which("nvidia-smi") is None:
    os.environ.setdefault("TRITON_INTERPRET", "1")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real benchmark and concept files; they are not part of the project.

    Looked for at PROMPTCOT_DATA, else beside the checkout in ``shared/data``.
    """
    folder = Path(os.environ.get("PROMPTCOT_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set PROMPTCOT_DATA to run this test")
    return folder
