"""The training side: open a version and read it."""

from .crop import crop, cropped
from .version import Sample, Version, open_version

__all__ = ["Sample", "Version", "crop", "cropped", "open_version"]
