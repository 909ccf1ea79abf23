"""The errors promptcot raises, and the exit code each one ends a command with.

    PromptCoTError
    ├── ConfigError        a setting, an option or a run folder that does not fit      exit 3
    ├── ResourceError      a file, template or library not found, read or written      exit 4
    ├── BackendError       whoever answers prompts did not answer                      exit 5
    ├── ParseError         a completion that holds no problem, verdict or answer       exit 6
    ├── VerificationError  two routes to one answer disagree                           exit 7
    ├── ShardError         data on disk that are not what their manifest says          exit 8
    ├── CheckpointError    weights or tokenizer that do not fit                        exit 9
    ├── KernelError        arguments a kernel does not take                            exit 10
    └── YieldError         a run that ended without what was asked for                 exit 11

Errors of other libraries are wrapped where they cross into promptcot, so a command
ends with one line: what happened, where, and what to do next. Exit 1 is a defect of
promptcot itself, 2 is wrong usage of a command, and 130 an interruption.
"""

from __future__ import annotations


class PromptCoTError(Exception):
    """Base of every error that promptcot raises on purpose.

    Args:
        message: What happened and where (a path, a key, a name).
        remedy: What the reader can do about it, as an imperative phrase.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class ConfigError(PromptCoTError):
    """A setting, an option or a run folder that does not fit."""

    exit_code = 3


class ResourceError(PromptCoTError):
    """A file, template or library that cannot be found, read or written."""

    exit_code = 4


class BackendError(PromptCoTError):
    """A backend gave no usable answer.

    Args:
        retryable: Whether asking again may help (a timeout does, a wrong model name does not).
        status: The HTTP status, where there was one.
    """

    exit_code = 5

    def __init__(
        self, message: str, *, remedy: str = "", retryable: bool = False, status: int | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.retryable = retryable
        self.status = status


class ParseError(PromptCoTError):
    """A completion from which nothing usable can be read.

    Args:
        reason: A short stable label for counting, such as ``missing-problem``.
    """

    exit_code = 6

    def __init__(self, message: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class VerificationError(PromptCoTError):
    """Two independent routes to the same answer disagree."""

    exit_code = 7


class ShardError(PromptCoTError):
    """Data on disk that are not what their manifest says."""

    exit_code = 8


class CheckpointError(PromptCoTError):
    """Weights, a tokenizer or a training state that do not fit."""

    exit_code = 9


class KernelError(PromptCoTError):
    """Arguments that a kernel does not take."""

    exit_code = 10


class YieldError(PromptCoTError):
    """A run that ended without what was asked of it."""

    exit_code = 11
