"""The template environment that report and explorer share: everything is escaped, hostile text made visible first."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from . import text

TEMPLATES = Path(__file__).parents[1] / "templates"


def environment() -> jinja2.Environment:
    """Jinja with autoescape always on, undefined names an error, and every printed string passed through
    `text.shown` before it is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("count", "number", "share", "duration", "hours", "size", "shortened", "span"):
        made.filters[name] = getattr(text, name)
    return made


def style(name: str) -> Markup:
    """A style sheet of the templates, to be printed inside `<style>`."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def style_hash(css: str) -> str:
    """The source expression that lets a Content-Security-Policy accept exactly this inline style sheet."""
    return f"'sha256-{b64encode(sha256(css.encode()).digest()).decode()}'"


def data_uri(data: bytes, mime: str) -> Markup:
    """`data` as a URI; safe inside an attribute, base64 has nothing to escape."""
    return Markup(f"data:{mime};base64,{b64encode(data).decode()}")


def _finalize(value: Any) -> Any:
    if value is None:
        return ""
    return text.shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value
