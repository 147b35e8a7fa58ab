"""What is installed where: workers with other packages than the driver would make other scores and arrays."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from ...schemas.errors import ClusterError
from ...schemas.keys import digest

PACKAGES = (
    *("auricle", "av", "encodec", "moshi", "numpy", "obstore", "onnxruntime", "pocketsphinx", "pyarrow", "ray"),
    *("scipy", "silero-vad", "soundfile", "speechmos", "torch", "torchaudio"),
)
"""What results and receipts depend on."""


@lru_cache(maxsize=1)
def environment() -> dict[str, str]:
    """Versions of this process's Python and packages."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def lock_hash(packages: dict[str, str]) -> str:
    """12 hex digits over the versions: two machines with the same make the same."""
    return digest(*(f"{name}=={number}" for name, number in sorted(packages.items())))[:12]


def refuse_other(expected: dict[str, str], where: str) -> None:
    """Raises `ClusterError` when this process's packages are not the driver's."""
    found = environment()
    other = [
        f"{name} {found.get(name, 'absent')} instead of {expected.get(name, 'absent')}"
        for name in sorted(expected.keys() | found.keys())
        if found.get(name, "absent") != expected.get(name, "absent")
    ]
    if other:
        raise ClusterError(
            f"node {where} has other packages than the driver: {', '.join(other)} (lock {lock_hash(found)} instead of "
            f"{lock_hash(expected)}). Results would differ; nothing was done there. Install the same requirements.lock "
            "on every node"
        )
