"""What a command needs beyond the data side, and the one line that says it is not there."""

from __future__ import annotations


def need_torch() -> None:
    """Imports torch.

    Raises:
        ResourceError: It is not there, or is broken.
    """
    from promptcot.errors import ResourceError

    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise ResourceError(
            f"torch cannot be imported: {said[0]}", remedy="pip install torch; `promptcot doctor` says more"
        ) from error
