"""What an interrupted fit of units goes on from: centroids after the last finished pass, in one small file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...extractors.features.kmeans import Fit


@dataclass(frozen=True)
class FitFile:
    """The file; one that another fit left is not read, and overwritten."""

    path: Path
    name: str
    """Of the fit: everything that its passes depend on."""

    def write(self, fit: Fit, failed: dict[str, str]) -> None:
        """Keep `fit`, and the clips that could not be read, with their reasons."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        about = {"name": self.name, "frames": fit.frames, "failed": failed, "inertia": fit.inertia}
        arrays: dict[str, Any] = {f"centroids.{size}": centroids for size, centroids in fit.centroids.items()}
        part = self.path.with_name(f"{self.path.name}.part")
        with part.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), mean=fit.mean, deviation=fit.deviation, **arrays)
        os.replace(part, self.path)

    def read(self) -> tuple[Fit | None, dict[str, str]]:
        """What `write` kept of this fit; None where there is nothing."""
        if not self.path.is_file():
            return None, {}
        with np.load(self.path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["name"] != self.name:
                return None, {}
            inertia = {int(size): values for size, values in about["inertia"].items()}
            centroids = {size: file[f"centroids.{size}"] for size in inertia}
            fit = Fit(file["mean"], file["deviation"], centroids, inertia, about["frames"])
        return fit, about["failed"]
