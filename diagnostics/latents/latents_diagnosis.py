"""The diagnosis of a latents representation: what the past says about the next frame, and about later ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import Folds, folds_of_clips, held_clips
from ..estimates.jobs import Here, Jobs, say_nothing
from ..estimates.pieces import ClipSource, pieces
from ..estimates.samples import Sample, Samples, scalars, start
from . import further_gains, predictive_gain
from .clip_gains import ClipGains, FoldGains
from .effective_dimension import EffectiveDimension
from .further_gains import GainsJob, score_gains, unusable
from .predictive_gain import Horizon
from .read_out import Kept


@dataclass(frozen=True, slots=True, eq=False)
class LatentsDiagnosis:
    """What is known of a latents representation; the arrays hold one value per clip that was used."""

    group_kind: str
    folds: str
    num_groups: int
    num_clips: int
    num_frames: int
    fitted_frames: int
    """Of these, those that models were fitted on."""
    total_seconds: float
    frame_rate: float
    dim: int
    rank: int
    """Directions that carry variance."""
    pred_gain: Estimate
    """nat/frame; comparable at one frame rate only."""
    pred_gain_per_s: Estimate
    """nat/s; comparable at one frame rate only."""
    r2_info: float | None
    """1 - exp(-2 pred_gain / rank): the gain as an R^2 per direction."""
    finite_sample_bias: float
    """nat/frame that finite training data took from the held-out gain, about D^2 p / 2n; `pred_gain` has it added."""
    finite_sample_bias_measured: float
    """The same from how the gain grows with data; the difference is in the interval."""
    order: int
    ridge: float
    gain_by_order: tuple[tuple[int, float], ...]
    """(past frames, nat/frame) on validation folds: what a longer past gains."""
    dimension: EffectiveDimension | None
    """How many dimensions are used, and in how many the past says something; None without usable clips."""
    read_out: tuple[Kept, ...]
    """What the best linear read-outs of 8 to 128 dimensions of the past keep of the gain."""
    lagged_mutual_information: tuple[Horizon, ...]
    """nat, about the frame 80, 160 and 320 ms later; comparable across frame rates."""
    skipped: Mapping[str, int]
    clip_keys: list[str]
    groups: list[str]
    nats: np.ndarray
    """`[N]` corrected gain of each clip, summed over its frames that have a past; NaN where it has none."""
    bits: np.ndarray
    """`[N]` the same in bits: what the past saves, not a code length."""
    seconds: np.ndarray
    """`[N]`"""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without the arrays."""
        return {
            "kind": "latents",
            **{name: value for name, value in scalars(self).items() if name != "dimension"},
            "pred_gain": self.pred_gain.to_dict(),
            "pred_gain_per_s": self.pred_gain_per_s.to_dict(),
            "lagged_mutual_information": [
                {
                    "tau_ms": h.tau_ms,
                    "lags": [list(x) for x in h.lags],
                    "finite_sample_bias": h.finite_sample_bias,
                    **h.info.to_dict(),
                }
                for h in self.lagged_mutual_information
            ],
            "effective_dimension": None if self.dimension is None else dimension_dict(self.dimension),
            "read_out": [
                {"dimensions": k.dimensions, "gain": k.gain.to_dict(), "share": k.share.to_dict()}
                for k in self.read_out
            ],
            "gain_by_order": [{"order": order, "nats_per_frame": gain} for order, gain in self.gain_by_order],
            "skipped": dict(self.skipped),
        }


def diagnose_latents(
    samples: Samples,
    frame_rate: float,
    *,
    group_kind: str,
    seed: int = 0,
    max_frames: int | None = None,
    index: Sequence[tuple[str, str, int]] | None = None,
    orders: tuple[int, ...] | None = None,
    further: ClipSource | None = None,
    jobs: Jobs = Here(),
    say: Callable[[str], None] = say_nothing,
) -> LatentsDiagnosis:
    """Diagnose latents `[D, T]`, floats, at `frame_rate` Hz.

    samples is passed over two times, three where `index` (key, group and frames of each clip) is not given, so it is
    a function that starts a pass, or a collection; memory does not grow with the corpus but for some numbers per clip.
    Models are fitted on `max_frames`, whole clips evenly over groups: with D = 512 a core gets through some 500 frames
    per second. further: reads the other clips of the index, which are then scored as well, in pieces, which are `jobs`;
    without it they are left out. Clips with values that are not finite or of another dimension are left out and
    counted. say: told which part is under way.
    """
    if isinstance(samples, Iterator):
        raise TypeError("latents are passed over more than once: give a function that starts a pass, or a collection")
    index = list(index) if index is not None else [(key, group, z.shape[-1]) for key, group, z in start(samples)]
    chosen = held_clips(index, max_frames, group_kind=group_kind, seed=seed)
    folds = folds_of_clips(index, group_kind=group_kind, seed=seed)
    usable = _UsableLatents(samples, chosen)
    dim = usable.dim()
    if dim == 0 or folds.num_folds < 3:
        return _no_latents(usable, folds, frame_rate, group_kind, dim)
    skipped = Counter[str]()

    def others(models: Sequence[FoldGains]) -> Iterator[ClipGains]:
        if further is None:
            return
        parts = pieces(index, folds, chosen, further_gains.PIECE_VALUES // dim)
        tasks = [GainsJob(models[fold], dim, further, clips) for fold, clips in parts]
        # other processes take longer to start than one piece takes
        each = jobs if len(tasks) > 1 or not jobs.one_disk else Here()
        for number, found in enumerate(each(score_gains, tasks), start=1):
            say(f"latents: {number} of {len(tasks)} further pieces of the corpus scored")
            skipped.update(found.skipped)
            yield found.clips

    result = predictive_gain.measure(
        usable.clips, dim, folds, frame_rate, group_kind=group_kind, orders=orders, further=others, say=say
    )
    clips, gain = result.clips, result.gain
    return LatentsDiagnosis(
        group_kind=group_kind,
        folds=folds.describe(),
        num_groups=len(set(clips.groups)),
        num_clips=len(clips.keys),
        num_frames=int(clips.lengths.sum()),
        fitted_frames=sum(frames for _, frames in usable.used.values()),
        total_seconds=float(clips.lengths.sum() / frame_rate),
        frame_rate=frame_rate,
        dim=dim,
        rank=result.rank,
        pred_gain=gain,
        pred_gain_per_s=gain.scaled(frame_rate, "nat/s"),
        r2_info=None if gain.value is None else float(-np.expm1(-2 * gain.value / max(result.rank, 1))),
        finite_sample_bias=result.finite_sample_bias,
        finite_sample_bias_measured=result.finite_sample_bias_measured,
        order=result.order,
        ridge=result.ridge,
        gain_by_order=result.by_order,
        dimension=result.dimension,
        read_out=result.read_out,
        lagged_mutual_information=result.horizons,
        skipped=dict(usable.skipped + skipped),
        clip_keys=clips.keys,
        groups=clips.groups,
        nats=clips.nats,
        bits=clips.nats / np.log(2),
        seconds=clips.lengths / frame_rate,
    )


def dimension_dict(found: EffectiveDimension) -> dict[str, Any]:
    """JSON-able."""
    return {
        "participation_ratio": found.participation_ratio.to_dict(),
        "predictive_dimension": found.predictive_dimension,
        "predictive_dimension_range": found.predictive_dimension_range and list(found.predictive_dimension_range),
        "explained_share": found.explained_share,
    }


class _UsableLatents:
    """The chosen clips of a re-startable source, without those that cannot be used."""

    def __init__(self, samples: Samples, chosen: set[str]) -> None:
        self._samples, self._chosen, self._dim = samples, chosen, 0
        self.used: dict[str, tuple[str, int]] = {}
        """Group and frames of every clip of the last pass."""
        self.skipped: Counter[str] = Counter()

    def dim(self) -> int:
        """Length of axis 0 of the first usable clip, 0 when there is none."""
        for _ in self.clips():
            break
        return self._dim

    def clips(self) -> Iterator[Sample]:
        self.used, self.skipped = {}, Counter()
        for key, group, latents in start(self._samples):
            if key not in self._chosen:
                continue
            reason = self._reason(key, latents)
            if reason:
                self.skipped[reason] += 1
                continue
            self._dim = latents.shape[0]
            self.used[key] = group, latents.shape[1]
            yield key, group, latents

    def _reason(self, key: str, latents: np.ndarray) -> str:
        return unusable(latents, self._dim) or ("duplicate_key" if key in self.used else "")


def _no_latents(usable: _UsableLatents, folds: Folds, frame_rate: float, group_kind: str, dim: int) -> LatentsDiagnosis:
    nothing = Estimate.unresolved("fewer than 3 usable clips", "more audio", "nat/frame")
    for _ in usable.clips():
        pass
    keys = sorted(usable.used)
    frames = np.array([usable.used[key][1] for key in keys], dtype=np.int64)
    missing = np.full(len(keys), np.nan)
    return LatentsDiagnosis(
        group_kind,
        folds.describe(),
        len({group for group, _ in usable.used.values()}),
        len(keys),
        int(frames.sum()),
        0,
        float(frames.sum() / frame_rate),
        frame_rate,
        dim,
        0,
        nothing,
        nothing.scaled(frame_rate, "nat/s"),
        None,
        0.0,
        0.0,
        0,
        0.0,
        (),
        None,
        (),
        (),
        dict(usable.skipped),
        keys,
        [usable.used[key][0] for key in keys],
        missing,
        missing,
        frames / frame_rate,
    )
