"""The wheel carries the templates and libraries, and works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(REPOSITORY)], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the wheel's own promptcot shadows the checkout's."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": str(site), "SITE": str(site)}


def run(code: str, env: dict[str, str], folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_every_shipped_file_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    shipped = [
        p for folder in ("prompts", "concept_graphs") for p in (REPOSITORY / folder).rglob("*") if p.is_file()
    ]
    assert shipped
    expected = {f"promptcot/_data/{path.relative_to(REPOSITORY)}" for path in shipped}
    assert expected <= set(names)
    assert {Path(name).suffix for name in names if name.startswith("promptcot/")} <= {
        ".py",
        ".jinja",
        ".yaml",
        ".typed",
    }


def test_wheel_generates_away_from_the_checkout(installed: dict[str, str], tmp_path: Path) -> None:
    code = """
import os, promptcot, sys
assert promptcot.__file__.startswith(os.environ["SITE"]), promptcot.__file__
from promptcot.cli import main
sys.argv = ["promptcot", "generate", "run", "-n", "20"]
main()
"""
    run(code, installed, tmp_path)
    assert (tmp_path / "run" / "manifest.json").is_file()
    assert list((tmp_path / "run" / "data").glob("*/*.parquet"))


def test_data_commands_run_where_torch_is_not_importable(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["torch"] = None  # import torch now raises ImportError
from promptcot.cli import main
def call(*arguments):
    sys.argv = ["promptcot", *arguments]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, (arguments, stop.code)
call("generate", "run", "-n", "20")
call("inspect", "run")
call("report", "run")
call("concepts", "list")
call("prompts", "list")
call("doctor")
"""
    run(code, dict(os.environ), tmp_path)
    assert (tmp_path / "run" / "report.html").is_file()


def test_dependencies_are_pinned_by_the_constraints_file() -> None:
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {w.split("[")[0].split(";")[0].split(">")[0].strip().lower().replace("_", "-") for w in wanted}
    lines = (REPOSITORY / "constraints.txt").read_text().lower().splitlines()
    pinned = {line.split("==")[0].replace("_", "-") for line in lines if "==" in line}
    assert names <= pinned
