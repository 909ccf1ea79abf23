"""What a command needs beyond the data side, and the one line that says it is not there."""

from __future__ import annotations


def need_torch() -> None:
    """Imports torch.

    Raises:
        ResourceError: It is not there, or is broken.
    """
    import os

    from promptcot.errors import ResourceError

    # Read when torch is loaded. Threads that sleep as soon as they wait cost a small model a third of its
    # speed on idle cores, and threads that spin for long nearly all of it on shared ones: spin for a moment.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "100000")
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise ResourceError(
            f"torch cannot be imported: {said[0]}", remedy="pip install torch; `promptcot doctor` says more"
        ) from error


def device_of(name: str) -> str:
    """The device of that name; ``auto`` is the GPU where there is one.

    Raises:
        ConfigError: Torch does not have such a device.
    """
    import torch

    from promptcot.errors import ConfigError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(
            f"--device {name}: {said}", remedy="`promptcot doctor` says what there is"
        ) from error
    return name
