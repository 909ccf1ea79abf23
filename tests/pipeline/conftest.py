from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def scripted() -> ModuleType:
    """The module beside this file: a scripted backend and a run made of it."""
    path = Path(__file__).with_name("scripted.py")
    spec = importlib.util.spec_from_file_location("pipeline_scripted", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def products() -> Callable[[Path], dict[str, str]]:
    """Hashes of everything a run folder offers: shards, manifest, card."""

    def hashes(folder: Path) -> dict[str, str]:
        files = [*sorted((folder / "data").rglob("*")), folder / "manifest.json", folder / "README.md"]
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if path.is_file()
        }

    return hashes
