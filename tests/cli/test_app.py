from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys

import click
import pytest

import promptcot
from promptcot import errors
from promptcot.cli.app import COMMANDS, cli
from promptcot.cli.boundary import EXIT_CODES
from promptcot.cli.pages import commands, help_of

ALL = dict(commands())


def test_version(process) -> None:
    done = process("--version")
    assert done.stdout == f"promptcot {promptcot.__version__}\n"


def test_every_command_of_the_table_can_be_imported() -> None:
    for name, place in COMMANDS.items():
        module, _, attribute = place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        assert command.name == name


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_of_every_command_has_an_example_of_that_command(path: tuple[str, ...]) -> None:
    text = help_of(path, ALL[path])
    _, _, after = text.partition("Example:")
    examples = re.findall(r"^ +(promptcot .*)$", after.split("Options:")[0], re.MULTILINE)
    assert examples
    assert all(example.startswith(" ".join(path)) for example in examples)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.help.endswith("."), parameter.help


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from promptcot.cli.app import cli
try:
    cli.main(["--help"], prog_name="promptcot")
except SystemExit:
    pass
heavy = {"torch", "pydantic", "yaml", "rich", "numpy", "pyarrow", "datasets", "networkx", "jinja2",
         "sympy", "msgspec", "apsw", "aiohttp", "asyncio", "transformers"}
found = heavy & set(sys.modules)
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_of_one_command_imports_no_other() -> None:
    code = """
import sys
from promptcot.cli.app import cli
try:
    cli.main(["report", "--help"], prog_name="promptcot")
except SystemExit:
    pass
assert "promptcot.cli.report" in sys.modules
assert "promptcot.cli.generate" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_exit_codes_are_those_of_the_errors() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.PromptCoTError)
    ]
    assert len({kind.exit_code for kind in kinds}) == len(kinds) > 5
    assert {kind.exit_code for kind in kinds} | {0, 2, 130} == set(EXIT_CODES)


def test_help_says_the_exit_codes() -> None:
    text = help_of(("promptcot",), cli)
    for code, what in EXIT_CODES.items():
        assert re.search(rf"^ +{code}  {re.escape(what)}$", text, re.MULTILINE), code


def test_misspelt_command_is_wrong_usage_with_the_nearest_name(invoke) -> None:
    result = invoke("generat")
    assert result.exit_code == 2
    assert "unknown command 'generat'; did you mean 'generate'?" in result.stderr
    assert result.stdout == ""
