from __future__ import annotations

import inspect

from promptcot import errors
from promptcot.errors import BackendError, ParseError, PromptCoTError


def kinds() -> list[type[PromptCoTError]]:
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return [kind for kind in found if issubclass(kind, PromptCoTError)]


def test_each_kind_ends_a_command_with_a_code_of_its_own() -> None:
    codes = {kind.exit_code: kind.__name__ for kind in kinds()}
    assert len(codes) == len(kinds()) == 10
    assert not {0, 2, 130} & set(codes), "0 is success, 2 wrong usage, 130 an interruption"


def test_the_codes_are_those_that_are_documented() -> None:
    assert errors.__doc__
    for kind in kinds():
        if kind is not PromptCoTError:
            line = next(line for line in errors.__doc__.splitlines() if kind.__name__ in line)
            assert line.endswith(f"exit {kind.exit_code}")


def test_what_an_error_says_ends_with_the_remedy() -> None:
    assert str(PromptCoTError("x is missing")) == "x is missing"
    assert str(PromptCoTError("x is missing", remedy="add it")) == "x is missing (add it)"
    error = BackendError("busy", retryable=True, status=429)
    assert (error.retryable, error.status, str(error)) == (True, 429, "busy")
    assert ParseError("nothing", reason="empty").reason == "empty"
