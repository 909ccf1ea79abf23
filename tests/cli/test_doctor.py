from __future__ import annotations

import json
import subprocess
import sys

import pytest

from promptcot.cli import health

CODE = """
import sys
sys.modules[{module!r}] = None  # importing it now raises ImportError
from promptcot.cli import main
sys.argv = ["promptcot", "doctor", "--json"]
main()
"""


def without(module: str) -> subprocess.CompletedProcess[str]:
    code = CODE.format(module=module)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_says_what_works_here(invoke) -> None:
    result = invoke("doctor")
    assert result.exit_code == 0, result.output
    assert "yes  make data" in result.stdout
    assert "yes  train" in result.stdout


def test_data_can_be_made_where_torch_cannot_be_imported() -> None:
    done = without("torch")
    assert done.returncode == 0, done.stderr
    able = {check["name"]: check for check in json.loads(done.stdout)["abilities"]}
    assert able["make data"]["works"] is True
    assert able["train"]["works"] is False
    assert "torch cannot be imported" in able["train"]["detail"]
    assert able["train"]["remedy"]


def test_missing_base_dependency_ends_with_an_error() -> None:
    done = without("pyarrow")
    assert done.returncode == 4
    assert json.loads(done.stdout)["abilities"][0]["works"] is False
    assert "pyarrow" in done.stderr


def test_tool_that_is_there_but_does_not_run_is_not_called_working(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health._cannot_run([sys.executable, "-c", "pass"]) == ""
    assert health._cannot_run(["no-such-tool-here"]) == "not installed"
    said = health._cannot_run([sys.executable, "-c", "import sys; sys.exit('no user namespaces')"])
    assert said == "does not run here: no user namespaces"
