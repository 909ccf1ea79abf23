"""The report of a run: one HTML file that needs nothing else, and runs nothing.

Every word of a problem is a stranger's. It reaches the page through an autoescaping template
alone, and a content security policy allows the page one style sheet, known by its hash, and
nothing else: no script, no request, no inline style.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from promptcot.report.gather import gather
from promptcot.report.page import Page, page
from promptcot.shards.files import write_atomic

NAME = "report.html"
_TEMPLATES = Path(__file__).resolve().parent


def write_report(folder: Path) -> Path:
    """Writes ``report.html`` into a run folder, in the place of an earlier one.

    Returns:
        Its path.

    Raises:
        ResourceError: The folder is not a run, or cannot be written.
        ShardError: Its shards are not what their manifest says.
    """
    path = folder / NAME
    write_atomic(path, render(page(gather(folder))).encode())
    return path


def render(shown: Page) -> str:
    """The page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.get_template("style.css.jinja").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html.jinja").render(page=shown, style=style, style_hash=digest)
