"""Where templates and libraries are found, and who plugs into promptcot.

Look-up order: an explicit path; then each folder of the user's search path; then what
is shipped. The first hit wins, and what is shipped stays reachable as ``promptcot:NAME``.
The winner and its hash go into provenance.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from promptcot.errors import ConfigError, ResourceError
from promptcot.seeding import fingerprint

SHIPPED_PREFIX = "promptcot:"
_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource: the folder it lives in and how its files end."""

    folder: str
    suffixes: tuple[str, ...]
    noun: str


TEMPLATE = Kind("prompts", (".jinja",), "template")
LIBRARY = Kind("concept_graphs", (".yaml", ".yml"), "concept library")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that was found: its name, its path (a file or a folder of files) and its content hash."""

    name: str
    path: Path
    sha: str


def shipped_folder(kind: Kind) -> Path:
    """The folder of what is shipped: inside the package in a wheel, beside it in a checkout."""
    packaged = _PACKAGE / "_data" / kind.folder
    return packaged if packaged.is_dir() else _PACKAGE.parent / kind.folder


def search_folders(kind: Kind, search_path: Sequence[Path] = ()) -> list[Path]:
    """Folders in look-up order. A search-path entry may hold the kind's folder or the files themselves."""
    folders: list[Path] = []
    for entry in search_path:
        nested = entry / kind.folder
        folders += [nested] if nested.is_dir() else []
        folders.append(entry)
    return [*folders, shipped_folder(kind)]


def find(kind: Kind, name: str, search_path: Sequence[Path] = ()) -> Resource:
    """Finds a resource by path or by name.

    Raises:
        ResourceError: There is none; the message lists the nearest names.
    """
    if name.startswith(SHIPPED_PREFIX):
        return _in_folders(kind, name.removeprefix(SHIPPED_PREFIX), [shipped_folder(kind)])
    explicit = Path(name).expanduser()
    if explicit.suffix in kind.suffixes or len(explicit.parts) > 1:
        if not explicit.exists():
            raise ResourceError(f"{kind.noun} file not found: {name}", remedy="check the path")
        return Resource(explicit.stem, explicit, _hash(kind, explicit))
    return _in_folders(kind, name, search_folders(kind, search_path))


def available(kind: Kind, search_path: Sequence[Path] = ()) -> list[Resource]:
    """Every resource of a kind by name, sorted, each as look-up by that name would find it."""
    found: dict[str, Path] = {}
    for folder in search_folders(kind, search_path):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if _is_resource(kind, path):
                found.setdefault(path.stem if path.is_file() else path.name, path)
    return [Resource(name, path, _hash(kind, path)) for name, path in sorted(found.items())]


def read_text(path: Path, *, max_bytes: int = 16 << 20) -> str:
    """Reads a UTF-8 file of bounded size.

    Raises:
        ResourceError: It is missing, unreadable, too large or not UTF-8.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise ResourceError(f"{path}: larger than {max_bytes >> 20} MiB", remedy="split it")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ResourceError(
            f"{path}: not UTF-8 text (byte {error.start})", remedy="save it as UTF-8"
        ) from error


def files_of(kind: Kind, path: Path) -> list[Path]:
    """The files of a resource: itself, or the matching files of its folder in sorted order."""
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in kind.suffixes)


def plugin(group: str, name: str) -> Any:
    """Loads what an installed package offers as `name` under the entry-point group ``promptcot.<group>``.

    Raises:
        ConfigError: Nothing of that name is installed, or it cannot be imported.
    """
    noun = {"curricula": "curriculum"}.get(group, group.removesuffix("s"))
    points = {point.name: point for point in entry_points(group=f"promptcot.{group}")}
    if name not in points:
        raise ConfigError(unknown(noun, name, points))
    try:
        return points[name].load()
    except Exception as error:
        raise ConfigError(f"the {noun} {name!r} cannot be loaded: {error}") from error


def plugin_names(group: str) -> list[str]:
    """Names offered under the entry-point group ``promptcot.<group>``, sorted."""
    return sorted({point.name for point in entry_points(group=f"promptcot.{group}")})


def unknown(noun: str, name: str, known: Iterable[str]) -> str:
    """One line for a name that does not exist, with the nearest ones that do."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names[:12]) or 'none'}"
    return f"unknown {noun} {name!r}; {hint}"


def _in_folders(kind: Kind, name: str, folders: Sequence[Path]) -> Resource:
    if name in ("", ".", "..") or name != Path(name).name:
        raise ResourceError(f"{name!r} is not the name of a {kind.noun}", remedy="give a name or a path")
    for folder in folders:
        for candidate in (folder / f"{name}{suffix}" for suffix in kind.suffixes):
            if candidate.is_file():
                return Resource(name, candidate, _hash(kind, candidate))
        if _is_resource(kind, folder / name):
            return Resource(name, folder / name, _hash(kind, folder / name))
    names = {
        p.stem for folder in folders if folder.is_dir() for p in folder.iterdir() if _is_resource(kind, p)
    }
    raise ResourceError(unknown(kind.noun, name, names))


def _is_resource(kind: Kind, path: Path) -> bool:
    if path.is_file():
        return path.suffix in kind.suffixes
    return path.is_dir() and any(p.suffix in kind.suffixes for p in path.iterdir())


def _hash(kind: Kind, path: Path) -> str:
    try:
        return fingerprint(*(file.read_bytes() for file in files_of(kind, path)))
    except OSError as error:
        raise ResourceError(f"cannot read {path}: {error.strerror or error}") from error
