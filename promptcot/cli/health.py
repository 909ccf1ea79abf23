"""What this machine has and can run: every answer is found by trying, and says why where it is no."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from promptcot import __version__
from promptcot.records import Record
from promptcot.resources import plugin_names

_GIB = 1 << 30
_DATA = (
    "pydantic",
    "yaml",
    "msgspec",
    "jinja2",
    "networkx",
    "numpy",
    "pyarrow",
    "apsw",
    "rensa",
    "mpmath",
    "filelock",
    "aiohttp",
)


class Check(Record, frozen=True):
    """One line of `promptcot doctor`.

    Attributes:
        works: None where it is a fact and not a question.
    """

    name: str
    works: bool | None
    detail: str
    remedy: str = ""


def machine() -> list[Check]:
    """What there is: versions, cores, memory, disk."""
    free = shutil.disk_usage(Path.cwd()).free
    return [
        Check(name="promptcot", works=None, detail=f"{__version__}, {Path(__file__).resolve().parents[1]}"),
        Check(name="python", works=None, detail=f"{platform.python_version()}, {sys.executable}"),
        Check(
            name="system",
            works=None,
            detail=f"{platform.system()} {platform.release()}, {platform.machine()}",
        ),
        Check(name="cores", works=None, detail=str(_cores())),
        Check(name="memory", works=None, detail=_memory()),
        Check(name="disk", works=None, detail=f"{free / _GIB:.1f} GiB free in {Path.cwd()}"),
    ]


def abilities() -> list[Check]:
    """What can be run; the first one is making data, without which nothing can."""
    torch = _import("torch", "training, sampling and evaluation need it: pip install torch")
    return [
        _data(),
        _ledger(),
        _import("datasets", "load_dataset needs it: pip install datasets"),
        _train(torch),
        _cuda(torch),
        _triton(),
        _import(
            "transformers", "Hugging Face import and export need it: pip install transformers", probe=False
        ),
        _import(
            "vllm", "for its own engine: pip install 'promptcot[vllm]' (a server needs nothing)", probe=False
        ),
        *_sandboxes(),
    ]


def _data() -> Check:
    """Everything that generate, inspect and report import."""
    name = "make data"
    for module in _DATA:
        why = _cannot_import(module)
        if why:
            return Check(name=name, works=False, detail=why, remedy=f"pip install {module}")
    backends = plugin_names("backends")
    if "symbolic" not in backends:
        detail = "promptcot is not installed: its backends and filters are not known to Python"
        return Check(
            name=name, works=False, detail=detail, remedy="pip install promptcot, or pip install -e ."
        )
    detail = f"backends: {', '.join(backends)}; filters: {', '.join(plugin_names('filters'))}"
    return Check(name=name, works=True, detail=detail)


def _ledger() -> Check:
    try:
        import apsw
    except ImportError as error:
        return Check(name="ledger", works=False, detail=str(error), remedy="pip install apsw")
    return Check(name="ledger", works=True, detail=f"SQLite {apsw.sqlite_lib_version()}")


def _train(torch: Check) -> Check:
    if not torch.works:
        return Check(name="train", works=False, detail=torch.detail, remedy=torch.remedy)
    threads = _threads()
    many = "" if threads == 1 else "s"
    return Check(name="train", works=True, detail=f"torch {torch.detail}, {threads} thread{many}")


def _cuda(torch: Check) -> Check:
    if not torch.works:
        return Check(name="train on a GPU", works=False, detail="needs torch")
    import torch as library

    if not library.cuda.is_available():
        built = f"built for CUDA {library.version.cuda}" if library.version.cuda else "a build without CUDA"
        return Check(
            name="train on a GPU",
            works=False,
            detail=f"torch sees no CUDA device ({built})",
            remedy="everything runs on the CPU; for a GPU install its driver and a CUDA build of torch",
        )
    found = [library.cuda.get_device_properties(i) for i in range(library.cuda.device_count())]
    names = ", ".join(f"{device.name} ({device.total_memory / _GIB:.0f} GiB)" for device in found)
    return Check(name="train on a GPU", works=True, detail=names)


def _triton() -> Check:
    found = _import("triton", "GPU kernels need it: pip install 'promptcot[kernels]'")
    return Check(name="Triton kernels", works=found.works, detail=found.detail, remedy=found.remedy)


def _sandboxes() -> list[Check]:
    """Tools that can hold generated code. Finding one is not enough: it is made to run something."""
    tries = {
        "bwrap": ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"],
        "docker": ["docker", "info", "--format", "ok"],
        "nsjail": ["nsjail", "--help"],
    }
    checks = []
    for name, command in tries.items():
        why = _cannot_run(command)
        checks.append(Check(name=f"sandbox {name}", works=not why, detail=why or "runs"))
    return checks


def _cannot_run(command: list[str]) -> str:
    """Why a command does not work, or nothing."""
    if not shutil.which(command[0]):
        return "not installed"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        return f"does not run here: {said[-1] if said else f'exit {done.returncode}'}"
    return ""


def _import(module: str, remedy: str, *, probe: bool = True) -> Check:
    """Whether a package is there.

    Args:
        probe: Import it, which finds broken ones; else only look for it, which takes no time.
    """
    if not probe:
        try:
            return Check(name=module, works=True, detail=version(module))
        except PackageNotFoundError:
            return Check(name=module, works=False, detail="not installed", remedy=remedy)
    why = _cannot_import(module)
    if why:
        return Check(name=module, works=False, detail=why, remedy=remedy)
    return Check(name=module, works=True, detail=str(getattr(sys.modules[module], "__version__", "")))


def _cannot_import(module: str) -> str:
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package raises anything, and that is the finding
        said = str(error).splitlines() or [type(error).__name__]
        return f"{module} cannot be imported: {said[0]}"
    return ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    limit = _group_limit()
    note = f", of which this process may use {limit / _GIB:.1f} GiB" if limit and limit < total else ""
    return f"{total / _GIB:.1f} GiB{note}"


def _group_limit() -> int | None:
    """The memory limit of this control group (a container's), where there is one."""
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
