"""Prompts from templates that strangers may have written.

A template is one jinja file with the blocks ``system`` and ``user``, and inner blocks that
another template can override with ``{% extends "promptcot:author-math" %}``. It is written
in a small part of jinja (`grammar`), so that what a render can read, how much it can write
and how long it can take are bounded by construction: no calls, no assignments, no macros,
loops over given data alone, and a budget for every character written. Every value is escaped
as XML data, so no statement can close the tag that it stands in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2.filters import FILTERS
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from promptcot.errors import ResourceError
from promptcot.prompting import grammar
from promptcot.records import Message, Prompt, Recipe, Role
from promptcot.resources import SHIPPED_PREFIX, TEMPLATE, find, read_text
from promptcot.seeding import fingerprint

MAX_OUTPUT = 1 << 20
"""Characters that one render may write."""

MAX_TEMPLATE = 1 << 16
"""Bytes of one template file."""

MAX_CHAIN = 8
"""Templates in one chain of ``extends``."""

_BLOCKS = ("system", "user")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A template file as it was read, and the file it extends."""

    path: Path
    text: str
    tree: nodes.Template
    parent: str | None


class Renderer:
    """Finds templates, renders them and knows their hashes. Files are read once.

    Args:
        search_path: Folders looked into before what is shipped.
    """

    def __init__(self, search_path: Sequence[Path] = ()) -> None:
        self._search_path = tuple(search_path)
        self._environment = _Environment(self)
        self._files: dict[str, _Loaded] = {}
        self._keys: dict[str, str] = {}
        self._hashes: dict[str, str] = {}

    def messages(self, name: str, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """Renders the blocks of a template: a system message where it has one, and a user message.

        Raises:
            ResourceError: The template is not found or not valid, a variable is undefined, or the
                output is too large; the message names the template and the line.
        """
        rendered = self._render(self._resolve(name), variables)
        if not rendered["user"]:
            raise ResourceError(f"template {name!r}: the user message is empty", remedy="fill the block user")
        return tuple(
            Message(role=role, content=rendered[role]) for role in ("system", "user") if rendered[role]
        )

    def prompt(
        self, name: str, /, *, role: Role, recipe: Recipe, sample: int = 0, seed: int = 0, **variables: Any
    ) -> Prompt:
        """Renders a request to a backend (see `messages` for the errors)."""
        return Prompt(
            id=f"{recipe.id}/{role}/{sample}",
            role=role,
            messages=self.messages(name, variables),
            template=name,
            template_hash=self.hash(name),
            recipe=recipe,
            sample=sample,
            seed=seed,
        )

    def hash(self, name: str) -> str:
        """Hash of the template's text and of all that it extends."""
        if name not in self._hashes:
            self._hashes[name] = fingerprint(*(file.text for file in self._chain(name)))
        return self._hashes[name]

    def source(self, name: str) -> str:
        """The text of the template's own file."""
        return self._files[self._resolve(name)].text

    def path(self, name: str) -> Path:
        """Where the template was found."""
        return self._files[self._resolve(name)].path

    def blocks(self, name: str) -> tuple[str, ...]:
        """Names of the blocks that a template extending this one can override, sorted."""
        chain = self._chain(name)
        return tuple(sorted({block.name for file in chain for block in file.tree.find_all(nodes.Block)}))

    def variables(self, name: str) -> tuple[str, ...]:
        """Names of the variables that the template and what it extends read, sorted."""
        return tuple(
            sorted({name for file in self._chain(name) for name in find_undeclared_variables(file.tree)})
        )

    def required(self, name: str) -> tuple[str, ...]:
        """Those of `variables` that must be given: the template asks of none of them whether it is."""
        trees = [file.tree for file in self._chain(name)]
        asked = {name for tree in trees for name in grammar.asked_about(tree)}
        return tuple(variable for variable in self.variables(name) if variable not in asked)

    def _resolve(self, name: str) -> str:
        """The key (the path as text) of a template found by name, with all that it extends loaded."""
        if name not in self._keys:
            key = str(find(TEMPLATE, name, self._search_path).path.absolute())
            self._load_chain(key)
            self._keys[name] = key
        return self._keys[name]

    def _chain(self, name: str) -> list[_Loaded]:
        chain: list[_Loaded] = []
        key: str | None = self._resolve(name)
        while key is not None:
            chain.append(self._files[key])
            key = chain[-1].parent
        return chain

    def _load_chain(self, first: str) -> None:
        seen: list[str] = []
        key: str | None = first
        while key is not None:
            if key in seen:
                raise ResourceError(
                    f"template {first}: extends itself by way of {key}",
                    remedy=f'extend a shipped one as "{SHIPPED_PREFIX}NAME"',
                )
            if len(seen) == MAX_CHAIN:
                raise ResourceError(f"template {first}: more than {MAX_CHAIN} templates extend each other")
            seen.append(key)
            if key not in self._files:
                self._files[key] = self._load(Path(key))
            key = self._files[key].parent

    def _load(self, path: Path) -> _Loaded:
        if path.is_dir():
            raise ResourceError(f"template {path}: a folder, not a file", remedy="name the file in it")
        text = read_text(path, max_bytes=MAX_TEMPLATE)
        try:
            tree = self._environment.parse(text, filename=str(path))
            extends = grammar.check(tree)
            self._environment.compile(tree)  # which finds unknown tests and repeated blocks
            tree = self._environment.parse(text, filename=str(path))  # compiling has changed it
        except grammar.GrammarError as error:
            raise ResourceError(f"{path}:{error.line}: {error}", remedy=error.remedy) from error
        except TemplateSyntaxError as error:
            raise ResourceError(f"{path}:{error.lineno}: not a valid template: {error.message}") from error
        except (RecursionError, ValueError, OverflowError, MemoryError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise ResourceError(f"{path}: not a valid template: {what}") from error
        return _Loaded(path, text, tree, self._parent(path, extends) if extends else None)

    def _parent(self, path: Path, extends: str) -> str:
        """Looks up what a template extends: beside it first, then as every name is looked up."""
        name = extends if extends.startswith(SHIPPED_PREFIX) else extends.removesuffix(TEMPLATE.suffixes[0])
        bare = name.removeprefix(SHIPPED_PREFIX)
        if "/" in bare or "\\" in bare or bare in ("", ".", ".."):
            raise ResourceError(
                f"{path}: extends {extends!r}, a path", remedy="extend a template by its name"
            )
        return str(find(TEMPLATE, name, (path.parent, *self._search_path)).path.absolute())

    def _render(self, key: str, variables: Mapping[str, Any]) -> dict[str, str]:
        template = self._environment.get_template(key)
        written: dict[str, str] = {}
        context = template.new_context({**variables, grammar.BUDGET: _Budget(MAX_OUTPUT)})
        for block in _BLOCKS:
            # Put in front of the block's own functions: jinja calls the first of them.
            context.blocks.setdefault(block, []).insert(0, _capture(block, written))
        try:
            outside = "".join(template.root_render_func(context)).strip()
        except ResourceError as error:
            raise ResourceError(f"{_place(error, key)}: {error.message}", remedy=error.remedy) from error
        except (TemplateError, TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
            raise ResourceError(f"{_place(error, key)}: {error}", remedy=_remedy(error)) from error
        if outside:
            raise ResourceError(
                f"template {key}: text outside the blocks: {outside[:40]!r}", remedy="put it into a block"
            )
        return {block: written.get(block, "") for block in _BLOCKS}


def _remedy(error: Exception) -> str:
    return "give the template every variable that it names" if isinstance(error, UndefinedError) else ""


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox: only the filters below, no globals, every value escaped and paid for."""

    def __init__(self, renderer: Renderer) -> None:
        super().__init__(
            loader=_Loader(renderer),
            undefined=StrictUndefined,
            autoescape=True,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.filters = {name: FILTERS[name] for name in grammar.ALLOWED_FILTERS} | {grammar.CHARGE: _charge}
        self.globals.clear()

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        if name is None:  # asked for by `Renderer._load`, which checks it
            return tree
        return grammar.metered(tree, self.loader.renderer._files[name].parent)  # type: ignore[union-attr]


class _Loader(BaseLoader):
    """Gives jinja the files that the renderer has read and checked."""

    def __init__(self, renderer: Renderer) -> None:
        self.renderer = renderer

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        return self.renderer._files[template].text, template, lambda: True


class _Budget:
    """What a render may still write."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise ResourceError(f"writes more than {MAX_OUTPUT:,} characters", remedy="shorten it")


@pass_context
def _finalize(context: Context, value: object) -> Markup:
    """Turns the value of one ``{{ … }}`` into escaped text and charges for it."""
    if isinstance(value, StrictUndefined):
        value._fail_with_undefined_error()
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ResourceError(
            f"an expression gives {type(value).__name__}, not text or a number",
            remedy="use a filter or a field",
        )
    text = value if isinstance(value, Markup) else escape(str(value))
    context[grammar.BUDGET].spend(1 + len(text))
    return Markup(text)


@pass_context
def _charge(context: Context, items: Any, cost: int) -> list[Any]:
    """What a loop goes over, paid for in advance at `cost` characters a turn."""
    if isinstance(items, StrictUndefined):
        items._fail_with_undefined_error()
    charged = list(items)
    context[grammar.BUDGET].spend(cost * len(charged))
    return charged


def escape(text: str) -> str:
    """Escapes ``&``, ``<`` and ``>``: enough inside a tag, and mathematics stays readable."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _capture(block: str, written: dict[str, str]) -> Callable[[Context], Iterator[str]]:
    """A block function that keeps what the block writes instead of passing it on."""

    def capture(context: Context) -> Iterator[str]:
        functions = context.blocks[block]
        if len(functions) > 1:
            written[block] = "".join(functions[1](context)).strip()
        return iter(())

    return capture


def _place(error: BaseException, key: str) -> str:
    """File and line of the template in which an error arose."""
    place, trace = f"template {key}", error.__traceback__
    while isinstance(trace, TracebackType):
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            place = f"{template.filename}:{template.get_corresponding_lineno(trace.tb_lineno)}"
        trace = trace.tb_next
    return place
