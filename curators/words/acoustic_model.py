"""The US English acoustic model inside the pocketsphinx package, read from its files.

Phonetically tied mixtures: every phone has one codebook of 128 Gaussians in each of three streams (cepstra, their
differences, second differences), every senone its own mixture weights over the codebook of its phone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...schemas.keys import digest
from ..models import package_file, weights_sha256

STREAMS, DENSITIES, CEPSTRA, STATES = 3, 128, 13, 3
WEIGHT_NATS = 1024 * float(np.log(1.0001))
"""A mixture weight is a byte: minus its logarithm in base 1.0001, shifted right by ten bits."""
VARIANCE_FLOOR = 1e-4
SILENCE = "SIL"
INTERNAL, BEGIN, END, SINGLE = range(4)
"""Where in a word a triphone stands."""


@dataclass(frozen=True, slots=True, eq=False)
class AcousticModel:
    """phones: names of the C context-independent phones, fillers included. senones: `[P, STATES]` int of every phone,
    context-independent ones first. triphone_keys: `[P - C]` int64, `triphone_key` of rows C and on, ascending.
    codebook, state: `[N]` int, the phone that each senone belongs to, and its place in it, 0 to `STATES` - 1.
    gaussians: `[C, STREAMS, 2 * CEPSTRA + 2, DENSITIES]` float32: the log density of a Gaussian less a level is
    (x, x**2, 1, -level) times its column, which ends in 1.
    weights: per phone, `[STREAMS, DENSITIES, its senones]` float32.
    advance, stay: `[C, STATES]` log probability of leaving a state and of staying in it.
    """

    phones: list[str]
    senones: np.ndarray
    triphone_keys: np.ndarray
    codebook: np.ndarray
    state: np.ndarray
    gaussians: np.ndarray
    weights: list[np.ndarray]
    members: list[np.ndarray]
    """Per phone, the senones of its codebook, ascending: columns of its `weights`."""
    advance: np.ndarray
    stay: np.ndarray

    def row(self, position: int, phone: int, left: int, right: int) -> int:
        """Row of `senones` of a phone in its context; where that was never seen, in another position or in none."""
        for place in (position, *(p for p in (INTERNAL, BEGIN, END, SINGLE) if p != position)):
            key = triphone_key(place, phone, left, right)
            at = int(np.searchsorted(self.triphone_keys, key))
            if at < len(self.triphone_keys) and self.triphone_keys[at] == key:
                return len(self.phones) + at
        return phone


def triphone_key(position: int, phone: int, left: int, right: int) -> int:
    """One number for a phone in its context; they ascend in the order of the model's file."""
    return ((position * 64 + phone) * 64 + left) * 64 + right


def read_s3(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Header numbers and floats of a SphinxTrain parameter file: text header, byte-order mark, counts, values."""
    data = path.read_bytes()
    at = data.index(b"endhdr\n") + len(b"endhdr\n")
    if data[at : at + 4] != b"\x44\x33\x22\x11":
        raise ValueError(f"{path.name}: not a little-endian SphinxTrain file")
    at += 4
    counts = np.frombuffer(data, "<i4", 8, at)
    return counts, np.frombuffer(data, "<f4", offset=at, count=(len(data) - at) // 4)


def read_gaussians(path: Path) -> np.ndarray:
    """`[C, STREAMS, DENSITIES, CEPSTRA]` float64 of means or variances."""
    counts, values = read_s3(path)
    books = int(counts[0])
    if tuple(counts[1:6]) != (STREAMS, DENSITIES, CEPSTRA, CEPSTRA, CEPSTRA):
        raise ValueError(f"{path.name}: counts {counts[1:6].tolist()}, required 3 streams of 128 x 13")
    size = books * STREAMS * DENSITIES * CEPSTRA
    return values[7 : 7 + size].astype(np.float64).reshape(books, STREAMS, DENSITIES, CEPSTRA)


def read_transitions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(advance, stay), each `[C, STATES]` log probability."""
    counts, values = read_s3(path)
    books = int(counts[0])
    matrix = values[4 : 4 + books * STATES * (STATES + 1)].astype(np.float64).reshape(books, STATES, STATES + 1)
    matrix = matrix / matrix.sum(2, keepdims=True)
    with np.errstate(divide="ignore"):
        stay = np.log(matrix[:, np.arange(STATES), np.arange(STATES)])
        advance = np.log1p(-matrix[:, np.arange(STATES), np.arange(STATES)])
    return advance, stay


def read_weights(path: Path) -> np.ndarray:
    """`[STREAMS, DENSITIES, N]` uint8 of the mixture weights."""
    data = path.read_bytes()
    at = 0
    while length := int.from_bytes(data[at : at + 4], "little"):
        at += 4 + length
    rows, senones = np.frombuffer(data, "<i4", 2, at + 4)
    if rows != DENSITIES:
        raise ValueError(f"{path.name}: {rows} weights per senone, required {DENSITIES}")
    return np.frombuffer(data, np.uint8, STREAMS * DENSITIES * senones, at + 12).reshape(STREAMS, DENSITIES, senones)


def read_phones(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Phone names, senones of every phone `[P, STATES]` and the triphones' keys `[P - C]`, both by ascending key."""
    data = path.read_bytes()
    at = 12 + int.from_bytes(data[8:12], "little")
    names, total, states, _, _, _, sequences, _, nodes, _ = (int(n) for n in np.frombuffer(data, "<i4", 10, at))
    if data[:4] != b"BMDF" or states != STATES:
        raise ValueError(f"{path.name}: not a binary model definition of {STATES} states per phone")
    at += 40
    phones = []
    for _ in range(names):
        end = data.index(b"\0", at)
        phones.append(data[at:end].decode("ascii"))
        at = end + 1
    # the strings are padded to four bytes counted from the first of them
    at += -at % 4
    at += 8 * nodes
    records = np.frombuffer(data, np.dtype([("sequence", "<i4"), ("transition", "<i4"), ("info", "u1", 4)]), total, at)
    at += 12 * total + 4
    table = np.frombuffer(data, "<u2", sequences * STATES, at).reshape(sequences, STATES)
    info = records["info"][names:].astype(np.int64)
    keys = ((info[:, 0] * 64 + info[:, 1]) * 64 + info[:, 2]) * 64 + info[:, 3]
    order = np.argsort(keys, kind="stable")
    senones = table[records["sequence"]].astype(np.int64)
    return phones, np.concatenate([senones[:names], senones[names:][order]]), keys[order]


@cache
def acoustic_model() -> AcousticModel:
    """The model, read once per process."""
    files = {
        name: package_file("pocketsphinx", "model", "en-us", "en-us", name)
        for name in ("means", "variances", "sendump", "mdef", "transition_matrices")
    }
    phones, senones, keys = read_phones(files["mdef"])
    names = len(phones)
    mean, variance = read_gaussians(files["means"]), np.maximum(read_gaussians(files["variances"]), VARIANCE_FLOOR)
    weights = read_weights(files["sendump"])
    codebook = np.zeros(weights.shape[2], dtype=np.int64)
    codebook[senones[:names].ravel()] = np.repeat(np.arange(names), STATES)
    codebook[senones[names:]] = ((keys >> 12) & 63)[:, None]
    state = np.zeros_like(codebook)
    state[senones] = np.arange(STATES)
    constant = -0.5 * (np.log(2 * np.pi * variance) + mean**2 / variance).sum(3, keepdims=True)
    rows = np.concatenate([mean / variance, -0.5 / variance, constant, np.ones_like(constant)], axis=3)
    members = [np.flatnonzero(codebook == phone) for phone in range(names)]
    advance, stay = read_transitions(files["transition_matrices"])
    return AcousticModel(
        phones=phones,
        senones=senones,
        triphone_keys=keys,
        codebook=codebook,
        state=state,
        gaussians=np.ascontiguousarray(rows.astype(np.float32).swapaxes(2, 3)),
        weights=[np.exp(-WEIGHT_NATS * weights[:, :, own].astype(np.float32)) for own in members],
        members=members,
        advance=advance,
        stay=stay,
    )


@cache
def acoustic_model_sha256() -> str:
    """32 hex digits over the model's files and the pronunciation dictionary beside them."""
    names = ("means", "variances", "sendump", "mdef", "transition_matrices")
    files = [package_file("pocketsphinx", "model", "en-us", "en-us", name) for name in names]
    files.append(package_file("pocketsphinx", "model", "en-us", "cmudict-en-us.dict"))
    return digest(*(weights_sha256(file) for file in files))
