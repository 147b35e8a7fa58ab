"""Workers as the user writes them in YAML: how many, what each takes of its node, and how much one does in one go."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from .condition import Strict


class PassWorkers(Strict):
    """What a worker of one pass takes of its node. Ray places workers by it, and hands out the cards."""

    cpus: float | None = Field(default=None, gt=0, description="CPUs; default: 1, or what curators and codecs declare")
    gpus: float | None = Field(
        default=None,
        ge=0,
        description="GPUs: a fraction shares a card among workers, above 1 whole cards. Default: 1 where a "
        "representation has the option device: cuda, or what curators and codecs declare, else none",
    )
    memory_gb: float | None = Field(
        default=None,
        gt=0,
        description="Memory (GiB) that Ray sets aside for it; default: what curators and codecs declare",
    )
    decode_threads: int | None = Field(
        default=None,
        ge=0,
        le=64,
        description="Threads of a worker that decode audio ahead of a codec; default: 2 with a GPU, else none",
    )

    @field_validator("gpus")
    @classmethod
    def _whole_cards(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise ValueError("a part of one GPU (for example 0.25), or a whole number of them is required")
        return gpus


class Workers(Strict):
    """How work is spread; changes no result that comes in time."""

    num: int | None = Field(
        default=None,
        gt=0,
        description="Worker processes, always so many; default: as many as the cluster has room for, following its "
        "nodes as they come and go",
    )
    min: int = Field(
        default=1, gt=0, description="Workers that Ray is asked for even where there is no room for them now"
    )
    max: int | None = Field(
        default=None,
        gt=0,
        description="Most workers. Where it is given, a pass asks Ray for as many as it has units, up to this, so that "
        "an autoscaler adds nodes for them",
    )
    wait_s: float = Field(
        default=900.0,
        gt=0,
        description="Longest wait (s) for the first worker of a pass, where an autoscaler adds nodes",
    )
    probe: PassWorkers = Field(default_factory=PassWorkers, description="What a worker takes that opens new files")
    score: PassWorkers = Field(default_factory=PassWorkers, description="What a worker takes that runs curators")
    extract: PassWorkers = Field(default_factory=PassWorkers, description="What a worker takes that runs codecs")
    unit_s: float = Field(
        default=300.0,
        gt=0,
        description="Audio seconds per work unit at most: what is redone after a crash, per worker. Passes that are "
        "short for their workers have smaller units, and every pass has towards its end",
    )
    unit_clips: int = Field(default=256, gt=0, description="Clips per work unit at most")
    unit_bytes: int = Field(default=256 << 20, gt=0, description="Source bytes per work unit at most")
    limit_s: float = Field(
        default=300.0,
        gt=0,
        description="Longest time (s) that one curator or codec may take for the clips that it is given, or ten times "
        "their audio where that is longer. Beyond it the worker is ended, and a clip on which that happens again "
        "lacks this score or representation, with the reason. The default is far above what any built-in one takes",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Workers:
        if self.num is not None and (self.max is not None or self.min != 1):
            raise ValueError("give either num, or min and max")
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max ({self.max}) must not be below min ({self.min})")
        return self
