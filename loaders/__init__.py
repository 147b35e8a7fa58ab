"""The training side: open a version and read it."""

from .reading.crop import crop, cropped
from .reading.version import Sample, Version, open_version

__all__ = ["Sample", "Version", "crop", "cropped", "open_version"]
