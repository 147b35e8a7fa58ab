"""Take back what a recogniser proposed, after saying how much that is."""

from __future__ import annotations

from ...loaders.care.relabels import Proposals, forget_relabels, proposals_of
from ...loaders.reading.pending import require_none
from ...loaders.storage.store import Store
from ...schemas.counted import counted
from ..terminal import deletion


def forget_model(dataset: str, model: str, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Remove the answers of `model` from `relabels/`; the next run gives its clips their own labels back."""
    store = Store(dataset)
    # before anything is counted and asked
    require_none(store)

    def told(found: Proposals, done: bool) -> deletion.Going:
        if not found.answers:
            return deletion.Going([f"there is nothing of {model!r}"], {"model": model}, nothing=True)
        line = (
            f"{counted(found.answers, 'answer')} of {model}, {found.texts:,} of them texts that clips have taken: "
            f"{deletion.megabytes(found.files)}, {'' if done else 'would be '}removed or written anew"
        )
        last = "the next run gives the clips their own labels back"
        facts = {"model": model, "answers": found.answers, "texts": found.texts}
        return deletion.Going([line, last], facts, found.files)

    def act() -> Proposals:
        found = proposals_of(store, model)
        forget_relabels(store, model)
        return found

    deletion.delete(
        lambda: proposals_of(store, model), act, told, yes=yes, dry_run=dry_run, as_json=as_json, quiet=True
    )
