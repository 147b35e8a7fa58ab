"""The training side: open a version and read it."""

from .version import Sample, Version, open_version

__all__ = ["Sample", "Version", "open_version"]
