"""Where every command's errors end: one clear line, what to do next, an exit code, no traceback."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from promptcot.errors import PromptCoTError, ResourceError

EXIT_CODES = {
    0: "done",
    1: "a defect of promptcot",
    2: "wrong usage of a command",
    3: "a setting, an option or a run folder that does not fit",
    4: "a file, template or library not found, read or written (a full disk, too)",
    5: "whoever answers prompts did not answer",
    6: "a completion that holds no problem, verdict or answer",
    7: "two routes to one answer disagree",
    8: "data on disk that are not what their manifest says",
    9: "weights or a tokenizer that do not fit",
    10: "arguments that a kernel does not take",
    11: "a run that ended without what was asked of it",
    130: "interrupted; the same command goes on from there",
}
"""Exit code of the command to what it means."""

_FILE_REMEDIES = {
    errno.ENOSPC: "free some space there and give the same command again: nothing that was written is lost",
    errno.EDQUOT: "free some of your quota there and give the same command again",
    errno.EACCES: "check the permissions, or choose another folder",
    errno.EPERM: "check the permissions, or choose another folder",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.EISDIR: "name a file, not a folder",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


@contextmanager
def boundary(*, debug: bool) -> Iterator[None]:
    """Ends whatever is raised inside with one line on stderr and the exit code of its kind.

    Args:
        debug: Print the traceback first.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise  # click says these itself
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; there is nobody to tell
        raise SystemExit(0) from None
    except KeyboardInterrupt as stop:
        said = str(stop) or "run the same command again to go on"
        _end(said.removeprefix("stopped "), "", 130, debug=debug, label="stopped:")
    except PromptCoTError as error:
        _end(error.message, error.remedy or _remedy(error.__cause__), error.exit_code, debug=debug)
    except OSError as error:
        _end(*_of_file(error), ResourceError.exit_code, debug=debug)
    except MemoryError:
        _end("out of memory", "lower --concurrency or --workers", 1, debug=debug)
    except Exception as error:
        what = f"unexpected {type(error).__name__}: {error}".splitlines()[0]
        remedy = "report this defect, with the traceback that `promptcot --debug ...` shows"
        _end(f"{what} (at {_place(error)})", remedy, 1, debug=debug)


def _of_file(error: OSError) -> tuple[str, str]:
    place = f"{error.filename}: " if error.filename else ""
    what = error.strerror or str(error) or type(error).__name__
    return f"{place}{what}", _remedy(error)


def _remedy(error: BaseException | None) -> str:
    """What to do about an error of the operating system."""
    return _FILE_REMEDIES.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def _place(error: Exception) -> str:
    """File and line where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown place"
    path = Path(frames[-1].filename)
    return f"{'/'.join(path.parts[-2:])}:{frames[-1].lineno}"


def _end(message: str, remedy: str, code: int, *, debug: bool, label: str = "error:") -> None:
    if debug:
        click.echo(traceback.format_exc(), err=True, nl=False)
    # One line each, whatever the message was built from: a log is read line by line.
    click.echo(f"{click.style(label, fg='red', bold=True)} {' '.join(message.split())}", err=True)
    if remedy:
        click.echo(f"  {click.style('try:', bold=True)} {' '.join(remedy.split())}", err=True)
    raise SystemExit(code)
