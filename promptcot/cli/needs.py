"""What a command needs beyond the data side, and the one line that says it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from promptcot.errors import ResourceError


@contextmanager
def torch_needed() -> Iterator[None]:
    """Around imports that take torch.

    Raises:
        ResourceError: It cannot be imported.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise ResourceError(
            f"torch cannot be imported: {said[0]}", remedy="pip install torch; `promptcot doctor` says more"
        ) from error
