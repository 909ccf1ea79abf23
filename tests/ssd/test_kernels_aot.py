"""The pieces' launches compile for sm_90, fit its shared memory and spill no more than is allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")
SHARED_MEMORY = 232_448
# Bytes. The convolution's backward pass with documents and initial states: two registers too many, in the
# path of the few tiles in which a document begins.
ALLOWED_SPILLS = {"backward_kernel": 8}


@pytest.mark.parametrize("piece", ["conv", "norm", "decode"])
def test_compiles_without_spills(piece: str) -> None:
    script = Path(__file__).with_name("aot_pieces.py")
    # The tests beside this one have Triton interpret in their process.
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = str(script.parents[2])
    done = subprocess.run(
        [sys.executable, str(script), piece], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reports = [line.split() for line in done.stdout.splitlines()]
    assert reports
    for kernel, _, _, spilled, shared in reports:
        assert int(spilled) <= ALLOWED_SPILLS.get(kernel, 0), kernel
        assert int(shared) <= SHARED_MEMORY, kernel
