"""The scan's kernels against the references: on the card where there is one, else in Triton's interpreter.

Bounds are relative norm errors against the float64 recurrence (its chunked form on long inputs).
The interpreter computes bfloat16 wrongly, so there it runs float32 and float16.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

GPU = torch.cuda.is_available()
if not GPU:
    os.environ["TRITON_INTERPRET"] = "1"
pytest.importorskip("triton")

from promptcot.errors import KernelError  # noqa: E402
from promptcot.ssd.kernels import scan_backward, scan_forward  # noqa: E402
from promptcot.ssd.kernels.launch import ScanConfig, scan_config  # noqa: E402
from promptcot.ssd.kernels.scan_autograd import ssd_kernels  # noqa: E402
from promptcot.ssd.kernels.scan_plan import plan_documents  # noqa: E402
from promptcot.ssd.ops.scan import ssd_with_states  # noqa: E402
from promptcot.ssd.reference.scan import ssd_chunked_with_states, ssd_recurrent_with_states  # noqa: E402

needs_gpu = pytest.mark.skipif(not GPU, reason="needs a CUDA device")
interpreted = pytest.mark.skipif(GPU, reason="for the interpreter")
# Squares of pairs are computed whole, and what lies above their diagonal may overflow before it is dropped.
pytestmark = pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")
SMALL = ScanConfig(
    chunk=32, segment=2, output_heads=2, gradient_heads=2, strong_heads=2,
    input_gradient_rows=32, output_gradient_rows=32,
)  # fmt: skip
TWO = ScanConfig(
    chunk=32, segment=2, output_heads=2, gradient_heads=2, strong_heads=2,
    input_gradient_rows=16, output_gradient_rows=16,
    output_together=2, input_gradient_together=2, output_gradient_together=2,
)  # fmt: skip


def run(config: ScanConfig | None) -> Any:
    defaults: dict[str, Any] = dict.fromkeys(("D", "z", "dt_bias", "initial_states", "cu_seqlens"))
    return lambda **scan: ssd_kernels(**{**defaults, **scan}, config=config)


def to(scan: dict[str, Any], change: Any) -> dict[str, Any]:
    return {n: change(v) if torch.is_tensor(v) and v.is_floating_point() else v for n, v in scan.items()}


def present(scan: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scan.items() if value is not None}


def compare(
    scans: SimpleNamespace, scan: dict[str, Any], config: ScanConfig | None, bound: float, loose: float = 0.0
) -> None:
    """Compare both results and every gradient; dA and ddt_bias, which cancel, may have a looser bound."""
    scan = present(scan)
    exact = to(scan, Tensor.double)
    reference = ssd_recurrent_with_states if scan["x"].shape[1] < 300 else ssd_chunked_with_states
    y, states = reference(**exact)
    weights = (torch.randn_like(y), torch.randn_like(states))
    want = scans.gradients(reference, exact, weights)
    got = scans.gradients(run(config), scan, weights)
    errors = {name: scans.error(got[name], want[name]) for name in want}
    allowed = {name: max(bound, loose) if name in ("A", "dt_bias") else bound for name in errors}
    assert all(errors[name] <= allowed[name] for name in errors), errors


@interpreted
@pytest.mark.parametrize("config", [SMALL, TWO])
@pytest.mark.parametrize("lengths", [[1], [100, 0, 33]])
def test_packed_float32(scans: SimpleNamespace, config: ScanConfig, lengths: list[int]) -> None:
    compare(scans, scans.make(lengths, headdim=16, dstate=16, dtype=torch.float32), config, 1e-5, 1e-4)


@interpreted
@pytest.mark.parametrize("without", [("z", "D", "initial_states"), ("dt_bias", "z")])
def test_rows_and_options(scans: SimpleNamespace, without: tuple[str, ...]) -> None:
    scan = scans.make([40, 40], nheads=4, ngroups=1, headdim=16, dstate=32, dtype=torch.float32, packed=False)
    scan.update(dict.fromkeys(without))
    scan.update(dt_softplus="dt_bias" not in without, dt_limit=(0.05, 1.0))
    compare(scans, scan, SMALL, 1e-5, 1e-4)


@interpreted
def test_skip_of_every_channel(scans: SimpleNamespace) -> None:
    scan = scans.make([40], headdim=16, dstate=16, dtype=torch.float32)
    scan["D"] = torch.randn(4, 16)
    compare(scans, scan, TWO, 1e-5, 1e-4)


@interpreted
def test_strong_decay_and_zero_steps(scans: SimpleNamespace) -> None:
    scan = scans.make([50, 33], headdim=16, dstate=16, dtype=torch.float32)
    scan.update(dt_softplus=False, dt_bias=None, z=None)
    scan["A"] = torch.tensor([-1e3, -40.0, -4.0, -0.1])
    scan["dt"] = torch.rand(1, 83, 4) * (torch.arange(83) % 4 != 0)[:, None]
    compare(scans, scan, SMALL, 1e-5, 1e-4)


@interpreted
@pytest.mark.parametrize("decay", [-0.5, -30.0])
def test_neither_neighbours_nor_unwritten_memory_are_read(scans: SimpleNamespace, decay: float) -> None:
    scan = scans.make([33, 20, 5], headdim=16, dstate=16, dtype=torch.float32)
    scan["A"] = torch.full((4,), decay)
    weights = (torch.randn(1, 58, 4, 16), torch.randn(3, 4, 16, 16))
    clean = scans.gradients(run(SMALL), scan, weights)
    for name in ("x", "dt", "B", "C", "z"):
        scan[name] = scan[name].clone()
        scan[name][:, 33:53] = torch.nan
    weights[0][:, 33:53] = torch.nan
    torch.use_deterministic_algorithms(True)  # fills what torch.empty gives with NaN
    try:
        got = scans.gradients(run(SMALL), scan, weights)
    finally:
        torch.use_deterministic_algorithms(False)
    for name in ("y", "x", "dt", "B", "C", "z"):
        for tokens in (slice(0, 33), slice(53, 58)):
            assert torch.equal(got[name][:, tokens], clean[name][:, tokens]), (name, tokens)
    for name in ("states", "initial_states"):
        assert torch.equal(got[name][[0, 2]], clean[name][[0, 2]]), name


@interpreted
def test_float16_takes_the_strong_path(scans: SimpleNamespace) -> None:
    scan = scans.make([45], nheads=2, ngroups=1, headdim=16, dstate=16, dtype=torch.float16)
    compare(scans, scan, SMALL, 6e-3, 3e-2)


@interpreted
def test_slabs_change_no_bit(scans: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = scans.make([40, 20], nheads=4, ngroups=1, headdim=16, dstate=16, dtype=torch.float32)
    weights = (torch.randn(1, 60, 4, 16), torch.randn(2, 4, 16, 16))
    whole = scans.gradients(run(SMALL), scan, weights)
    monkeypatch.setattr(scan_forward, "FORWARD_SLAB_BYTES", 1)
    monkeypatch.setattr(scan_backward, "BACKWARD_SLAB_BYTES", 1)
    for name, value in scans.gradients(run(SMALL), scan, weights).items():
        assert torch.equal(value, whole[name]), name


@interpreted
def test_packed_is_alone_bitwise(scans: SimpleNamespace) -> None:
    check_alone(scans, scans.make([33, 1, 70], headdim=16, dstate=16, dtype=torch.float32), SMALL)


def check_alone(scans: SimpleNamespace, scan: dict[str, Any], config: ScanConfig | None) -> None:
    x = scan["x"]
    ndocs = len(scan["cu_seqlens"]) - 1
    weights = (
        torch.randn(x.shape, device=x.device),
        torch.randn(scan["initial_states"].shape, device=x.device),
    )
    packed = scans.gradients(run(config), scan, weights)
    bounds = scan["cu_seqlens"].tolist()
    for doc in range(ndocs):
        tokens = slice(bounds[doc], bounds[doc + 1])
        got = scans.gradients(
            run(config), scans.document(scan, doc), (weights[0][:, tokens], weights[1][doc : doc + 1])
        )
        for name in ("y", "x", "dt", "B", "C", "z"):
            assert torch.equal(got[name], packed[name][:, tokens]), (doc, name)
        for name in ("states", "initial_states"):
            assert torch.equal(got[name], packed[name][doc : doc + 1]), (doc, name)


def test_plan_of_packed_documents() -> None:
    plan = plan_documents(torch.tensor([0, 5, 5, 25], dtype=torch.int32), 8, 2, torch.device("cpu"))
    assert plan.chunk_start.tolist() == [0, 5, 13, 21]
    assert plan.chunk_length.tolist() == [5, 8, 8, 4]
    assert plan.segment_chunk.tolist() == [0, 1, 1, 3]
    assert plan.segment_chunks.tolist() == [1, 0, 2, 1]
    assert plan.document_segment.tolist() == [0, 1, 2, 4]
    assert plan.last_segment.tolist() == [0, 1, 3]


def test_compiles_ahead_of_time() -> None:
    """Every kernel of the 2.7B shape fits sm_90 and spills no more than its table allows."""
    script = Path(__file__).parents[2] / "benchmarks" / "aot_ssd.py"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = str(script.parents[1])
    command = [sys.executable, str(script), "--shapes", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") == 13


def test_other_shapes_are_refused() -> None:
    with pytest.raises(KernelError, match="headdim 48 and dstate 128"):
        scan_config(2, 48, 128)


GPU_SHAPES = [
    (torch.bfloat16, 64, 128, 8, 1, 5e-3),
    (torch.bfloat16, 64, 128, 16, 8, 5e-3),
    (torch.bfloat16, 128, 64, 4, 2, 5e-3),
    (torch.bfloat16, 32, 16, 6, 1, 5e-3),
    (torch.bfloat16, 64, 256, 4, 1, 5e-3),
    (torch.float16, 64, 128, 4, 1, 2e-3),
    (torch.float32, 64, 64, 4, 1, 2e-5),
    (torch.float32, 64, 128, 4, 1, 2e-5),
]


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "headdim", "dstate", "nheads", "ngroups", "bound"), GPU_SHAPES)
def test_on_the_card(
    scans: SimpleNamespace,
    dtype: torch.dtype,
    headdim: int,
    dstate: int,
    nheads: int,
    ngroups: int,
    bound: float,
) -> None:
    scan = scans.make(
        [1, 127, 128, 129, 300], nheads=nheads, headdim=headdim, ngroups=ngroups, dstate=dstate, dtype=dtype
    )
    scan["B"], scan["C"] = scan["B"] / dstate**0.5, scan["C"]
    compare(
        scans, {n: v.cuda() if torch.is_tensor(v) else v for n, v in scan.items()}, None, bound, 10 * bound
    )


@needs_gpu
@pytest.mark.gpu
def test_on_the_card_packed_is_alone_bitwise(scans: SimpleNamespace) -> None:
    scan = scans.make(
        [129, 1, 300, 127, 9000], nheads=8, headdim=64, ngroups=1, dstate=128, dtype=torch.bfloat16
    )
    check_alone(scans, {n: v.cuda() if torch.is_tensor(v) else v for n, v in scan.items()}, None)


@needs_gpu
@pytest.mark.gpu
def test_on_the_card_repeats_give_equal_bits(scans: SimpleNamespace) -> None:
    scan = scans.make([700, 500], nheads=16, headdim=64, ngroups=1, dstate=128, dtype=torch.bfloat16)
    scan = {n: v.cuda() if torch.is_tensor(v) else v for n, v in scan.items()}
    weights = (torch.randn_like(scan["x"]), torch.randn_like(scan["initial_states"]))
    first = scans.gradients(run(None), scan, weights)
    for _ in range(19):
        for name, value in scans.gradients(run(None), scan, weights).items():
            assert torch.equal(value, first[name]), name


@needs_gpu
@pytest.mark.gpu
def test_on_the_card_beyond_two_to_the_31(scans: SimpleNamespace) -> None:
    """The last document of 425,000 tokens, whose elements lie beyond 2^31, is bitwise what it is alone."""
    seqlen, last = 425_000, 300
    device = {"device": "cuda", "dtype": torch.bfloat16}
    scan = {
        "x": torch.randn(1, seqlen, 80, 64, **device), "dt": torch.randn(1, seqlen, 80, **device),
        "A": -torch.rand(80, device="cuda"), "B": torch.randn(1, seqlen, 1, 128, **device),
        "C": torch.randn(1, seqlen, 1, 128, **device), "dt_softplus": True,
        "cu_seqlens": torch.tensor([0, seqlen - last, seqlen], dtype=torch.int32, device="cuda"),
    }  # fmt: skip
    with torch.no_grad():
        y, _ = ssd_with_states(**scan)
        alone, _ = ssd_with_states(**scans.document(scan, 1))
    assert torch.equal(y[:, -last:], alone)
