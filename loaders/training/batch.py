"""Batches: arrays of many clips side by side, padded, with lengths and masks.

Of the first representation, named by its kind (`codes`, `latents`): `[B, K, T]`, `lengths` `[B]`, `mask` `[B, T]`.
Others beside it: `latents`, `latents_lengths`. Packed rows also have `segments` `[B, T]`, 0 in padding and 1, 2, ... in
the clips of a row, and `positions` `[B, T]`, counted from each clip's start. `keys`: one list per row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np

from ...schemas.representation import RepresentationSpec
from .layout import Layout
from .reader import Arrays, Task

Tokenizer = Callable[[str], Sequence[int]]


def batch_names(specs: Sequence[RepresentationSpec]) -> list[str]:
    """What each representation is called in a batch: its kind, its whole name where two have one kind."""
    kinds = [spec.kind for spec in specs]
    return [spec.kind if kinds.count(spec.kind) == 1 else spec.name for spec in specs]


def collate(
    task: Task,
    arrays: Sequence[Arrays],
    damaged: dict[str, str],
    specs: Sequence[RepresentationSpec],
    layout: Layout,
    row_tokens: int | None = None,
    tokenizer: Tokenizer | None = None,
    text: str = "transcript",
) -> dict[str, Any]:
    """The batch of a task. Codes are int64, other values keep their dtype.

    A damaged clip keeps its row, with length 0; in a packed row the others move up.
    row_tokens: width of packed rows. tokenizer: of the column `text`, giving `text` `[B, L]` and `text_lengths`.
    """
    batch: dict[str, Any] = {"epoch": task.epoch, "step": task.step, "slot": task.slot, "damaged": damaged}
    starts = np.concatenate([[0], np.cumsum(task.counts)])
    for number, (name, spec, found) in enumerate(zip(batch_names(specs), specs, arrays, strict=True)):
        width = row_tokens if number == 0 else None
        made, lengths, segments, positions = _padded(found, starts, spec, layout, width, row_tokens is not None)
        batch[name] = made
        if number == 0:
            batch["lengths"] = lengths
            batch["mask"] = np.arange(made.shape[2]) < lengths[:, None]
            if segments is not None:
                batch["segments"], batch["positions"] = segments, positions
        else:
            batch[f"{name}_lengths"] = lengths
            if segments is not None:
                batch[f"{name}_segments"] = segments
    held = ["" if key in damaged else key for key in task.keys]
    packed = row_tokens is not None
    batch["keys"] = [held[a:b] for a, b in pairwise(starts)] if packed else held
    for name, values in task.columns.items():
        batch[name] = [values[a:b] for a, b in pairwise(starts)] if packed else values
    if tokenizer is not None:
        tokens = [list(tokenizer(value or "")) for value in task.columns[text]]
        if packed:
            tokens = [list(chain.from_iterable(tokens[a:b])) for a, b in pairwise(starts)]
        batch["text"], batch["text_lengths"] = _text(tokens, layout.pad)
    return batch


def _padded(
    found: Arrays, starts: np.ndarray, spec: RepresentationSpec, layout: Layout, width: int | None, packed: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """`[B, rows, T]`, `[B]`, and of packed rows segments and positions `[B, T]`."""
    laid = [None if array is None else layout.apply(array, spec) for array in found]
    sizes = np.array([0 if array is None else array.shape[1] for array in laid], np.int64)
    total = np.concatenate([[0], np.cumsum(sizes)])
    lengths = total[starts[1:]] - total[starts[:-1]]
    longest = int(lengths.max(initial=0)) if width is None else width
    rows = 1 if layout.flatten and spec.cardinality is not None else spec.rows
    codes = spec.cardinality is not None
    shape = (len(lengths), rows, longest)
    made = np.empty(shape, np.int64 if codes else np.dtype(spec.dtype))
    segments = np.zeros((len(lengths), longest), np.int32) if packed else None
    positions = np.zeros((len(lengths), longest), np.int64) if packed else None
    at = 0
    for row, count in enumerate(np.diff(starts).tolist()):
        end = 0
        for place in range(count):
            array = laid[at]
            at += 1
            if array is None:
                continue
            begin, end = end, end + array.shape[1]
            made[row, :, begin:end] = array
            if segments is not None and positions is not None:
                segments[row, begin:end] = place + 1
                positions[row, begin:end] = np.arange(end - begin)
        # only what no clip fills: every place is written once
        made[row, :, end:] = layout.pad if codes else 0
    return made, lengths, segments, positions


def _text(tokens: list[list[int]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(t) for t in tokens], np.int64)
    made = np.full((len(tokens), int(lengths.max(initial=0))), pad, np.int64)
    for row, values in enumerate(tokens):
        made[row, : len(values)] = values
    return made, lengths
