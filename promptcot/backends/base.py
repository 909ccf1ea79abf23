"""Who answers prompts, and how one is opened by name."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from promptcot import config
from promptcot.errors import ConfigError
from promptcot.records import Completion, Prompt
from promptcot.resources import plugin

GROUP = "backends"
"""Entry-point group: each offers a factory ``(name, options, execution) -> Backend``."""


@runtime_checkable
class Backend(Protocol):
    """Answers prompts. One object serves every role that is bound to it.

    Attributes:
        name: Its name in the config.
        model: The model that answers.
        identity: What makes its answers what they are (kind, endpoint, model, options), without
            secrets: part of the key under which an answer is kept.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - described above

    @property
    def model(self) -> str: ...  # noqa: D102

    @property
    def identity(self) -> str: ...  # noqa: D102

    async def complete(self, prompt: Prompt) -> Completion:
        """Answers one prompt, having tried again where that could help.

        Raises:
            BackendError: There is no usable answer.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections and processes. Safe to call twice."""
        ...


def open_backend(name: str, settings: config.Backend, execution: config.Execution) -> Backend:
    """Makes the backend that a config names. Nothing is connected to before the first prompt.

    Raises:
        ConfigError: There is no such kind, or its options do not fit.
    """
    backend = plugin(GROUP, settings.kind)(name, settings.options(), execution)
    if not isinstance(backend, Backend):
        raise ConfigError(
            f"backends.{name}: the plugin {settings.kind!r} made a {type(backend).__name__}, not a backend",
            remedy="see promptcot.backends.base.Backend",
        )
    return backend
