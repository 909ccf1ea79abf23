from __future__ import annotations

from pathlib import Path

import pytest

from promptcot import config
from promptcot.backends.base import open_backend
from promptcot.errors import ConfigError

ENTRY_POINTS = """[promptcot.backends]
echo = echo_backend:Echo
number = echo_backend:number
absent = no_such_module:make
openai = promptcot.backends.openai:open_openai
"""
ECHO = """
class Echo:
    def __init__(self, name, options, execution):
        self.name, self.model, self.identity = name, "echo", "echo"
        self.options, self.concurrency = options, execution.concurrency

    async def complete(self, prompt):
        raise NotImplementedError

    async def close(self):
        pass


def number(name, options, execution):
    return 3
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with plugins, installed as packages are: by its metadata on the path."""
    info = tmp_path / "echo_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "echo_backend.py").write_text(ECHO)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_backend_is_opened_by_its_kind_with_its_options() -> None:
    settings = config.Backend.model_validate({"kind": "echo", "voice": "low"})
    backend = open_backend("mine", settings, config.Execution(concurrency=7))
    assert backend.name == "mine"
    assert vars(backend)["options"] == {"voice": "low"}
    assert vars(backend)["concurrency"] == 7


def test_the_shipped_client_is_opened_the_same_way() -> None:
    settings = config.Backend.model_validate({"kind": "openai", "base_url": "http://host/v1", "model": "m"})
    assert open_backend("big", settings, config.Execution()).identity.startswith("openai http://host/v1 m ")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("opnai", "unknown backend 'opnai'; did you mean 'openai'"),
        ("absent", "'absent' cannot be loaded: No module named 'no_such_module'"),
        ("number", "backends.mine: the plugin 'number' made a int, not a backend"),
    ],
)
def test_what_is_no_backend_is_refused(kind: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_backend("mine", config.Backend(kind=kind), config.Execution())
