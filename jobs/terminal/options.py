"""Arguments and options that several commands share: the same name, letter and words everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

DatasetArg = Annotated[
    str, typer.Argument(metavar="DATASET[@VERSION]", help="Folder or s3:// prefix; @7 or @tag picks a version")
]
DatasetOnly = Annotated[str, typer.Argument(metavar="DATASET", help="Folder or s3:// prefix")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress: only notices and the result")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another command holds the dataset (else exit 75)")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for scripts; docs/command.md lists its keys")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted")]
