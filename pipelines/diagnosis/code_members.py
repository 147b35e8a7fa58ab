"""Which models predict a stream of codes, besides its n-gram counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from ...diagnostics.codes.members import Member, Scored
from ...diagnostics.estimates.jobs import Here, Jobs
from ...diagnostics.ngrams.code_store import CodeStore
from ...diagnostics.outside.language_model import OutsideMember
from ...diagnostics.outside.registry import installed
from ...diagnostics.pool.pool_member import Pool
from ...extractors.codecs import encodec_lm
from ...schemas.errors import WeightsError
from ...schemas.representation import RepresentationSpec
from .kept_network import KeptNetwork


def members(
    vectors: np.ndarray | None,
    kept: KeptNetwork,
    budget_s: float | None,
    seed: int,
    say: Callable[[str], None],
    pool: bool = True,
    jobs: Jobs = Here(),
) -> dict[str, Member]:
    """By name: the pool, unless it is not asked for; the neural one with a budget, or where one is kept and
    torch is here.

    vectors: `[Q, cardinality, D]` of the codec. budget_s: seconds of training; what a kept network had serves less too.
    """
    found: dict[str, Member] = {"pool": Pool(vectors, seed=seed, progress=say, jobs=jobs)} if pool else {}
    before = kept.read() if find_spec("torch") else None
    if before is not None and (budget_s is None or budget_s <= before[1]):
        found["neural"] = _Neural(kept, before[0], before[1], vectors, seed, say, jobs, again=True)
    elif budget_s is not None:
        found["neural"] = _Neural(kept, {}, budget_s, vectors, seed, say, jobs, again=False)
    return found


def outside_members(spec: RepresentationSpec, cardinality: int) -> tuple[dict[str, Member], dict[str, str]]:
    """Language models of other packages that know these codes, by name; and those that would, with the reason why not.

    Raises `ConfigError` for a package whose model cannot be imported.
    """
    models, absent = installed(), {}
    if spec.codec == "encodec24":
        try:
            models.append(encodec_lm.load())
        except WeightsError as error:
            absent[encodec_lm.EncodecLanguageModel.name] = str(error)
    known = [model for model in models if model.knows(spec.codec, spec.rows, cardinality, spec.frame_rate)]
    return {model.name: OutsideMember(model) for model in known}, absent


@dataclass(frozen=True, slots=True)
class _Neural:
    kept: KeptNetwork
    weights: dict[str, np.ndarray]
    budget_s: float
    vectors: np.ndarray | None
    seed: int
    say: Callable[[str], None]
    jobs: Jobs
    again: bool
    """Whether the weights are those of before."""

    def __call__(self, store: CodeStore, fold_of_clip: np.ndarray) -> Scored:
        # torch takes seconds to import, and is not needed otherwise
        from ...diagnostics.neural.language_model import LanguageModel

        if self.again:
            self.say(f"the neural model of before is used, trained for {self.budget_s:g} s")
        model = LanguageModel(
            self.budget_s,
            vectors=self.vectors,
            seed=self.seed,
            weights=dict(self.weights),
            progress=self.say,
            jobs=self.jobs,
        )
        scored = model(store, fold_of_clip)
        if not self.again:
            self.kept.write(model)
        return scored
