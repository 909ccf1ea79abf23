from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot.errors import ConfigError, ResourceError
from promptcot.resources import (
    LIBRARY,
    TEMPLATE,
    available,
    files_of,
    find,
    plugin,
    plugin_names,
    read_text,
    search_folders,
    shipped_folder,
    unknown,
)


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_an_explicit_path_comes_before_the_search_path_and_that_before_what_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = find(TEMPLATE, "solve")
    assert shipped.path.parent == shipped_folder(TEMPLATE)
    second = write(tmp_path / "second" / "solve.jinja", "2")
    assert find(TEMPLATE, "solve", [tmp_path / "first", tmp_path / "second"]).path == second
    first = write(tmp_path / "first" / "prompts" / "solve.jinja", "1")
    assert find(TEMPLATE, "solve", [tmp_path / "first", tmp_path / "second"]).path == first
    assert find(TEMPLATE, "promptcot:solve", [tmp_path / "first"]) == shipped
    assert find(TEMPLATE, str(second), [tmp_path / "first"]).path == second
    monkeypatch.chdir(tmp_path)
    assert find(TEMPLATE, "second/solve.jinja").path == Path("second/solve.jinja")
    assert find(TEMPLATE, "solve").path == shipped.path, "a bare name is never a file of the current folder"


def test_the_kinds_folder_inside_a_search_path_entry_comes_first(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    assert search_folders(TEMPLATE, [tmp_path])[:2] == [tmp_path / "prompts", tmp_path]
    assert search_folders(LIBRARY, [tmp_path]) == [tmp_path, shipped_folder(LIBRARY)]


def test_a_folder_of_files_is_one_resource_and_its_hash_is_that_of_all(tmp_path: Path) -> None:
    write(tmp_path / "lib" / "b.yaml", "b")
    write(tmp_path / "lib" / "sub" / "a.yml", "a")
    write(tmp_path / "lib" / "notes.txt", "n")
    resource = find(LIBRARY, "lib", [tmp_path])
    assert [path.name for path in files_of(LIBRARY, resource.path)] == ["b.yaml", "a.yml"]
    write(tmp_path / "lib" / "notes.txt", "other")
    assert find(LIBRARY, "lib", [tmp_path]).sha == resource.sha
    write(tmp_path / "lib" / "sub" / "a.yml", "c")
    assert find(LIBRARY, "lib", [tmp_path]).sha != resource.sha


def test_what_is_not_there_is_said_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="unknown template 'slove'; did you mean 'solve'"):
        find(TEMPLATE, "slove")
    with pytest.raises(ResourceError, match=r"unknown concept library 'zzz'; known: .*competition-math"):
        find(LIBRARY, "zzz")
    with pytest.raises(ResourceError, match=r"template file not found: .*check the path"):
        find(TEMPLATE, str(tmp_path / "none.jinja"))
    write(tmp_path / "own.jinja")
    with pytest.raises(ResourceError, match="did you mean 'own'"):
        find(TEMPLATE, "onw", [tmp_path])
    with pytest.raises(ResourceError, match="unknown template"):
        find(TEMPLATE, "promptcot:own", [tmp_path])


@pytest.mark.parametrize(
    "name", ["promptcot:../pyproject", "promptcot:/etc", "promptcot:a/b", "promptcot:.."]
)
def test_a_shipped_name_does_not_lead_out_of_its_folder(name: str) -> None:
    with pytest.raises(ResourceError, match=r"is not the name of a|unknown"):
        find(LIBRARY, name)


def test_available_lists_each_name_once_as_look_up_finds_it(tmp_path: Path) -> None:
    mine = write(tmp_path / "solve.jinja")
    write(tmp_path / "extra.jinja")
    write(tmp_path / "readme.md")
    found = {resource.name: resource.path for resource in available(TEMPLATE, [tmp_path])}
    assert list(found) == sorted(found)
    assert found["solve"] == mine
    assert {"extra", "judge", "author-math"} <= set(found)
    assert "readme" not in found
    for name, path in found.items():
        assert find(TEMPLATE, name, [tmp_path]).path == path
    assert available(TEMPLATE, [tmp_path / "none"]) == available(TEMPLATE)


def test_text_is_read_within_bounds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "é" * 10)
    assert read_text(path) == "é" * 10
    with pytest.raises(ResourceError, match=r"cannot read .*none\.txt: No such file"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(ResourceError, match="cannot read"):
        read_text(tmp_path)
    path.write_bytes(b"ab\xff")
    with pytest.raises(ResourceError, match=r"not UTF-8 text \(byte 2\) \(save it as UTF-8\)"):
        read_text(path)
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(ResourceError, match="larger than 16 MiB"):
        read_text(path)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "secret.yaml")
    path.chmod(0)
    with pytest.raises(ResourceError, match=r"cannot read .*Permission denied"):
        find(LIBRARY, str(path))


def test_plugins_are_found_by_their_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "plug-1.0.dist-info"
    write(info / "METADATA", "Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    write(
        info / "entry_points.txt",
        "[promptcot.filters]\nmine = plug:rule\nbroken = plug:none\nworse = plug2:x\n",
    )
    write(tmp_path / "plug.py", "def rule(options):\n    return options\n")
    write(tmp_path / "plug2.py", "raise RuntimeError('no card')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert plugin("filters", "mine")({"a": 1}) == {"a": 1}
    assert {"mine", "broken", "worse"} <= set(plugin_names("filters"))
    with pytest.raises(ConfigError, match=r"the filter 'broken' cannot be loaded: .*none"):
        plugin("filters", "broken")
    with pytest.raises(ConfigError, match="the filter 'worse' cannot be loaded: no card"):
        plugin("filters", "worse")
    with pytest.raises(ConfigError, match="unknown filter 'mnie'; did you mean 'mine'"):
        plugin("filters", "mnie")
    with pytest.raises(ConfigError, match="unknown curriculum 'x'"):
        plugin("curricula", "x")
    with pytest.raises(ConfigError, match="unknown nothing 'x'; known: none"):
        plugin("nothings", "x")


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=30))
def test_a_hint_names_only_what_exists(name: str, known: list[str]) -> None:
    said = unknown("thing", name, known)
    assert said.startswith(f"unknown thing {name!r}; ")
    hint = said.removeprefix(f"unknown thing {name!r}; ")
    if hint.startswith("did you mean"):
        assert any(hint == f"did you mean {other!r}?" for other in known)
    else:
        assert hint == f"known: {', '.join(sorted(known)[:12]) or 'none'}"
