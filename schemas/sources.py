"""Where the recordings of a source are: the path of the source joined with that of a file in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

PLACE = "#@[0-9+.]+$"
"""At the end of a URI of an archive's member: where it is in the archive, so that nobody looks for it."""

LISTS = (".txt", ".lst", ".list", ".tsv", ".csv", ".jsonl", ".ndjson")
"""Names of sources that list recordings, line by line."""
READ_FROM = ("s3", "s3a", "gs", "az", "http", "https", "file")
"""Kinds of addresses that a list may have."""


def without_place(uri: str) -> str:
    """A URI as it is written when nobody knows where in its archive the member is; the same after repacking."""
    return re.sub(PLACE, "", uri)


def uri_name(uri: str) -> str:
    """The name of a recording, without folders: for messages."""
    return without_place(uri).rsplit("/", 1)[-1]


def is_list(source_path: str) -> bool:
    """Whether a source is a file that lists recordings, by its name; a folder may be called like one."""
    name = source_path.rstrip("/").lower()
    scheme, mark, _ = name.partition("://")
    return name.endswith(LISTS) and (scheme in READ_FROM if mark else not Path(source_path).expanduser().is_dir())


def from_version(source_path: str) -> bool:
    """Whether a source is the clips of a version of a dataset: auricle://<dataset>@<version>."""
    return source_path.lower().startswith("auricle://")


def is_address(path: str) -> bool:
    """Whether the path of a file in a source is where it is, as lists and versions have it."""
    return path.startswith("/") or "://" in path


def uri_prefix(source_path: str) -> str:
    """What stands before the path of a file in a source, as the tables have it, to make a URI that opens: it ends in /.

    source_path: of the configuration; a folder relative to the working folder, one file, s3://... or http(s)://... The
    path of a single file in the tables is its name. One that `is_address` opens as it is.
    """
    if "://" in source_path:
        place = source_path.rstrip("/")
        alone = is_list(source_path) or source_path.lower().startswith(("http://", "https://"))
        return f"{place.rpartition('/')[0] if alone else place}/"
    root = Path(source_path).expanduser().absolute()
    return f"{str(root.parent if root.is_file() or is_list(source_path) else root).rstrip('/')}/"


def file_uri(source_path: str, relative: str) -> str:
    """What opens a file of a source."""
    anywhere = is_list(source_path) or from_version(source_path)
    return relative if anywhere and is_address(relative) else uri_prefix(source_path) + relative


def listed_path(given: str, source_path: str) -> str:
    """The path of a recording in the tables, of its address as a list has it: relative to the folder of the list where
    it is below that, else the address. Raises `ValueError`, which says why, for what is no address.

    given: a path, relative to the list's folder or absolute, file://, s3:// or http(s)://. source_path: of the list.
    """
    text = given.strip()
    if not text or "\0" in text:
        raise ValueError("no recording is named")
    scheme, mark, rest = text.partition("://")
    if mark:
        scheme = scheme.lower()
        if scheme not in READ_FROM:
            raise ValueError(f"its address begins with none of {', '.join(f'{s}://' for s in READ_FROM)}, or with /")
        if scheme in ("http", "https") and ("?" in rest or "#" in rest):
            raise ValueError("its address has a query or a mark (? or #), which is not sent")
        if not rest.strip("/") or (scheme != "file" and not rest.partition("/")[2].strip("/")):
            raise ValueError("its address has no path")
        text = unquote(rest if rest.startswith("/") else "") if scheme == "file" else f"{scheme}://{rest}"
        if not text:
            raise ValueError("its address is on another machine (file://host/)")
    prefix = uri_prefix(source_path)
    if not is_address(text):
        text = prefix + text
    head, mark, rest = text.partition("://") if "://" in text else ("", "", text)
    host, slash, path = rest.partition("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and not parts:
            raise ValueError("it leads above the top")
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    text = f"{head}{mark}{host}{slash}{'/'.join(parts)}"
    return text.removeprefix(prefix) or text


def source_paths(config: Mapping[str, Any]) -> dict[str, str]:
    """Source name -> its path, of the configuration that a version keeps."""
    sources = [source for source in config.get("sources") or () if isinstance(source, Mapping)]
    paths = [str(source.get("path", "")) for source in sources]
    return {str(s.get("name") or PurePath(path).name): path for s, path in zip(sources, paths, strict=True)}
