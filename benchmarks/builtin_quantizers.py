"""RVQ and FSQ, each trained from the first step by the recipe of the built-in codec, judged on the held-out speakers.

    python benchmarks/builtin_quantizers.py FOLDER [--steps 600] [--recipe docs/builtin_codec.yaml]

FOLDER takes the checkpoints, 16 MB each; run again, it resumes. Needs the development recordings beside the checkout
(`../shared/data`). The two share data, crops, seed, losses and schedule; only the quantiser and its start differ
(k-means for the codebooks, principal components for the grids). One thread.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file

from auricle.extractors.codecs.builtin_model import BuiltinCodec, BuiltinConfig
from auricle.extractors.training.builtin_data import load_speech
from auricle.extractors.training.builtin_evaluation import evaluate
from auricle.extractors.training.train_codec import CodecTraining, train

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data"


def configured(recipe: Path, folder: Path, quantizer: str, steps: int) -> CodecTraining:
    """The recipe with this quantiser and number of steps, reading the development recordings."""
    raw = yaml.safe_load(recipe.read_text())
    sources = [{**source, "path": DATA / source["path"]} for source in raw["sources"]]
    changed = {"sources": sources, "out": folder / quantizer, "quantizer": quantizer, "steps": steps}
    return CodecTraining.model_validate(raw | changed)


def trained(config: CodecTraining) -> BuiltinCodec:
    """The codec of the last checkpoint, as it is once the learning rate has reached zero."""
    state = json.loads((config.out / "state.json").read_text())
    tensors = load_file(config.out / state["tensors"])
    codec = BuiltinCodec(BuiltinConfig.from_card(state["model"]))
    codec.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    return codec.eval().requires_grad_(False)


def main() -> None:
    """Train both, print one row per quantiser and number of codebooks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--recipe", type=Path, default=ROOT / "docs/builtin_codec.yaml")
    parser.add_argument("--quantizers", nargs="+", default=["rvq", "fsq"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for quantizer in options.quantizers:
        config = configured(options.recipe, options.folder, quantizer, options.steps)
        train(config)
        codec = trained(config)
        held_out = load_speech(config.sources, codec.sample_rate, config.held_out_share).held_out
        for codebooks in (2, 4, 8):
            found = evaluate(codec, held_out, codebooks)
            rows.append(
                {
                    "quantizer": quantizer,
                    "codebooks": codebooks,
                    "kbit_s": round(codec.frame_rate * codebooks * math.log2(codec.cardinality) / 1000, 2),
                    **{key: found[key] for key in ("stoi", "si_sdr_db", "mel_distance")},
                    "used_min": min(found["codebook_used"]),
                    "perplexity": (found["codebook_perplexity"][0], found["codebook_perplexity"][-1]),
                    "utterances": found["utterances"],
                }
            )
            print(rows[-1], flush=True)
    (options.folder / f"{'-'.join(options.quantizers)}.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
