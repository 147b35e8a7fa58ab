"""Models that installed packages carry: found, hashed and opened without importing those packages."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..schemas.errors import MissingExtraError, WeightsError
from ..schemas.keys import sha256_file

if TYPE_CHECKING:
    import onnxruntime


@cache
def package_file(package: str, *parts: str) -> Path:
    """Path of a file inside an installed package. The package is not imported (silero_vad would import torch).

    Raises `MissingExtraError` when the package is absent, `WeightsError` when it lacks the file.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("score", "curate", package)
    path = Path(spec.submodule_search_locations[0], *parts)
    if not path.is_file():
        raise WeightsError(f"package '{package}' has no file {'/'.join(parts)}: install the version in the lock file")
    return path


@cache
def weights_sha256(path: Path) -> str:
    """64 hex digits over the file's bytes, read once per process."""
    return sha256_file(path)


@cache
def session(
    path: Path, inner: tuple[str, ...] = (), edit: Callable[[bytes], bytes] = bytes
) -> onnxruntime.InferenceSession:
    """The ONNX model, loaded once per process, on one CPU thread so that results do not depend on the machine.

    inner: names of float tensors inside the graph that are to be outputs beside its own. edit: what is done to the
    file's bytes before they are opened. Raises `MissingExtraError`
    without onnxruntime, `WeightsError` where the graph has no such tensor.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("score", "curate", "onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            edit(path.read_bytes()) + b"".join(_further_output(name.encode()) for name in inner),
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:
        raise WeightsError(f"{path.name} cannot be opened: {error}: install the version in the lock file") from error


def _further_output(name: bytes) -> bytes:
    """An ONNX model with nothing but one more float output, in protocol buffers.

    Messages that follow each other are merged, so these bytes after a model's own add the output to its graph:
    ModelProto.graph (7), GraphProto.output (12), ValueInfoProto of name (1) and type (2: tensor_type 1: elem_type 1).
    """

    def field(number: int, content: bytes) -> bytes:
        # lengths and keys below 128 are one byte each
        return bytes([number << 3 | 2, len(content)]) + content

    return field(7, field(12, field(1, name) + field(2, field(1, b"\x08\x01"))))
