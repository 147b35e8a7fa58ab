"""The configuration that the demo runs: an ordinary one, with every kind of rule in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def demo_config(root: Path, dataset: str) -> dict[str, Any]:
    """A `RunConfig` as YAML would hold it, for the corpus that `make_corpus(root)` wrote, publishing to `dataset`.

    Its thresholds were set on other seeds than the one that the demo shows.
    """
    return {
        "dataset": dataset,
        "sources": [{"path": str(root / "audio"), "name": "demo", "transcripts": "transcripts.tsv"}],
        "keep": [
            {"score": "speech_s", "min": 0.5, "reason": "silent"},
            {"score": "snr_db", "min": 8, "reason": "noisy"},
            {"score": "clip_ratio", "max": 0.001, "reason": "clipped"},
            {"score": "bandwidth_ratio", "min": 0.34, "reason": "narrowband"},
            {"score": "transcript_trust", "min": 0.15, "wrong_share": 0.5, "reason": "transcript"},
            {"score": "text_language_match", "equals": True, "reason": "language"},
            {"score": "chars_per_speech_s", "min": 10, "max": 22, "reason": "speaking_rate"},
        ],
        "duplicates": {"exact": True, "near": True},
        "tiers": [
            {
                "name": "gold",
                "when": [
                    {"score": "snr_db", "min": 25},
                    {"score": "transcript_trust", "min": 0.8, "wrong_share": 0.5},
                    {"score": "dnsmos_ovrl", "min": 2.7},
                ],
            },
            {
                "name": "silver",
                "when": [{"score": "snr_db", "min": 20}, {"score": "transcript_trust", "min": 0.6, "wrong_share": 0.5}],
            },
            {"name": "bronze"},
        ],
        "representations": [{"codec": "builtin", "kind": "codes"}, {"codec": "builtin", "kind": "latents"}],
        "gate": {"min_clips": 100, "min_kept_share": 0.3},
        "workers": {"unit_s": 60},
    }
