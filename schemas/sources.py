"""Where the recordings of a source are: the path of the source joined with that of a file in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

PLACE = "#@[0-9+.]+$"
"""At the end of a URI of an archive's member: where it is in the archive, so that nobody looks for it."""


def without_place(uri: str) -> str:
    """A URI as it is written when nobody knows where in its archive the member is; the same after repacking."""
    return re.sub(PLACE, "", uri)


def uri_name(uri: str) -> str:
    """The name of a recording, without folders: for messages."""
    return without_place(uri).rsplit("/", 1)[-1]


def uri_prefix(source_path: str) -> str:
    """What stands before the path of a file in a source, as the tables have it, to make a URI that opens: it ends in /.

    source_path: of the configuration; a folder relative to the working folder, one file, or s3://... The path of a
    single file in the tables is its name.
    """
    if "://" in source_path:
        return f"{source_path.rstrip('/')}/"
    root = Path(source_path).expanduser().absolute()
    return f"{str(root.parent if root.is_file() else root).rstrip('/')}/"


def file_uri(source_path: str, relative: str) -> str:
    """What opens a file of a source."""
    return uri_prefix(source_path) + relative


def source_paths(config: Mapping[str, Any]) -> dict[str, str]:
    """Source name -> its path, of the configuration that a version keeps."""
    sources = [source for source in config.get("sources") or () if isinstance(source, Mapping)]
    paths = [str(source.get("path", "")) for source in sources]
    return {str(s.get("name") or PurePath(path).name): path for s, path in zip(sources, paths, strict=True)}
