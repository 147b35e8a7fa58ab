"""Which rank this process is, of how many."""

from __future__ import annotations

import sys

from ...schemas.errors import ConfigError


def rank_and_world(rank: int | None, world: int | None) -> tuple[int, int]:
    """The given ones, else those of torch.distributed where it is initialised, else 0 of 1.

    Raises `ConfigError` when only one is given.
    """
    if (rank is None) != (world is None):
        raise ConfigError(f"give rank and world together, or neither; found rank {rank}, world {world}")
    if rank is not None and world is not None:
        return rank, world
    # whoever has initialised it has imported it
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
