"""The built-in codec on speakers that it was not trained on: quality by bitrate, codebook use, RVQ and FSQ, speed.

    python benchmarks/builtin_codec.py [--minutes 5] [--json out.json]

Needs the development recordings beside the checkout (`../shared/data`). Speakers are those that training held out, by
the rule in `extractors/training/builtin_data.py` and the share in the card. Everything runs on one thread.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from auricle.curators.signal.dnsmos import DnsmosCurator
from auricle.extractors.codecs import builtin
from auricle.extractors.codecs.builtin_model import BuiltinConfig
from auricle.extractors.codecs.fsq import ResidualFsq
from auricle.extractors.coding import registry
from auricle.extractors.training.builtin_data import SpeechSource, Utterance, load_speech
from auricle.extractors.training.builtin_evaluation import codebook_use, evaluate, si_sdr_db, stoi_of
from auricle.extractors.training.builtin_rvq import fit_codebooks
from auricle.schemas.clip import Clip
from auricle.schemas.config import RepresentationConfig

DATA = Path(__file__).resolve().parents[1].parent / "shared/data/speech"
Decode = Callable[[np.ndarray], tuple[np.ndarray, float]]
"""Waveform `[T]` at 24 kHz to its decoded copy and the bits that it took."""


def opus(waveform: np.ndarray, bitrate: int, sample_rate: int) -> tuple[np.ndarray, float]:
    """Through libopus (voip, constant bitrate, 20 ms) and back: the copy, aligned, and the bits of its packets."""
    buffer = io.BytesIO()
    bits = 0
    with av.open(buffer, "w", format="ogg") as out:
        options = {"application": "voip", "vbr": "off", "frame_duration": "20"}
        stream: Any = out.add_stream("libopus", rate=sample_rate, options=options)
        stream.bit_rate, stream.layout = bitrate, "mono"
        frame = av.AudioFrame.from_ndarray(waveform[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = sample_rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            bits += 8 * packet.size
            out.mux(packet)
    buffer.seek(0)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate)
    pieces = []
    with av.open(buffer) as container:
        for frame in [*container.decode(audio=0), None]:
            pieces += [f.to_ndarray()[0] for f in resampler.resample(frame)]
    decoded = np.concatenate(pieces)
    decoded = np.pad(decoded, (0, max(0, len(waveform) - len(decoded))))
    # containers differ in how they trim the encoder's delay: the best shift within 40 ms is used, in Opus' favour
    reach = sample_rate // 25
    best = max(range(-reach, reach, 4), key=lambda d: float(waveform @ np.roll(decoded, d)[: len(waveform)]))
    return np.roll(decoded, best)[: len(waveform)].astype(np.float32), bits


def judge(name: str, utterances: list[Utterance], decode: Decode, sample_rate: int) -> dict[str, Any]:
    """Mean STOI, SI-SDR and DNSMOS of decoded copies, and the bitrate that they took."""
    mos = DnsmosCurator()
    stois, sdrs, overall, bits = [], [], [], 0.0
    for utterance in utterances:
        copy, spent = decode(utterance.waveform)
        bits += spent
        score = stoi_of(utterance.waveform, copy, sample_rate)
        if score is not None:
            stois.append(score)
        sdrs.append(si_sdr_db(copy, utterance.waveform))
        (row,) = mos.score([Clip(utterance.name, copy, sample_rate)])
        if row.get("dnsmos_ovrl") is not None:
            overall.append(row["dnsmos_ovrl"])
    seconds = sum(len(u.waveform) for u in utterances) / sample_rate
    return {
        "codec": name,
        "kbit_s": round(bits / seconds / 1000, 2),
        "stoi": round(float(np.mean(stois)), 3),
        "si_sdr_db": round(float(np.mean(sdrs)), 1),
        "dnsmos_ovrl": round(float(np.mean(overall)), 2) if overall else None,
        "n": len(utterances),
    }


def quantizers(codec: Any, train: list[Utterance], held_out: list[Utterance], steps: int) -> list[dict[str, Any]]:
    """RVQ and FSQ fitted on the same frozen latents of the training speakers, judged on the held-out ones.

    The decoder was trained with the RVQ that ships; `builtin_quantizers.py` trains both from the first step.
    """
    with torch.inference_mode():
        latents = [codec.encode_to_latent(torch.from_numpy(u.waveform)[None, None])[0].T for u in train]
    flat = torch.cat(latents).clone()
    flat = flat[torch.randperm(len(flat), generator=torch.Generator().manual_seed(0))[:40_000]]
    shipped, rows = codec.quantizer, []
    levels = BuiltinConfig().fsq_levels
    fsq = ResidualFsq(codec.config.dimension, codec.num_codebooks, levels)
    fsq.start(flat)
    optimizer = torch.optim.Adam(fsq.parameters(), lr=3e-3)
    for step in range(steps):
        batch = flat[torch.randint(len(flat), (1024,), generator=torch.Generator().manual_seed(step))]
        _, _, stages = fsq(batch.T[None])
        loss = stages.mean() + stages[-1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
    for name, quantizer in (("rvq, shipped", shipped), ("rvq, k-means only", "fit"), (f"fsq {levels}", fsq.eval())):
        if quantizer == "fit":
            kept = [layer.codebook.clone() for layer in shipped.layers]
            torch.manual_seed(0)
            fit_codebooks(shipped, flat, 1, passes=8)
            codec.quantizer = shipped
        else:
            codec.quantizer = quantizer
        codec.cardinality = math.prod(levels) if quantizer is fsq else codec.config.cardinality
        report = evaluate(codec, held_out)
        rows.append(
            {
                "quantizer": name,
                "stoi": report["stoi"],
                "used_min": min(report["codebook_used"]),
                "used": report["codebook_used"],
                "perplexity": report["codebook_perplexity"],
            }
        )
        if quantizer == "fit":
            for layer, entries in zip(shipped.layers, kept, strict=True):
                layer.codebook.copy_(entries)
    codec.quantizer, codec.cardinality = shipped, codec.config.cardinality
    return rows


def speed(seconds: float, repeats: int) -> dict[str, float]:
    """Seconds of audio per CPU-second to extract 8 codebooks, taken in turns; the best of `repeats` each."""
    audio = np.random.default_rng(0).normal(scale=0.05, size=(1, int(24_000 * seconds))).astype(np.float32)
    contestants = {
        "builtin": registry.build([RepresentationConfig(codec="builtin", kind="codes")])[0],
        "encodec24": registry.build(
            [RepresentationConfig(codec="encodec24", kind="codes", weights="seed:0", num_codebooks=8)]
        )[0],
    }
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(repeats):
        for name, extractor in contestants.items():
            began = time.process_time()
            extractor.extract(audio, 24_000)
            best[name] = min(best[name], time.process_time() - began)
    rates = {name: round(seconds / spent, 1) for name, spent in best.items()}
    return {**rates, "ratio": round(best["encodec24"] / best["builtin"], 1)}


def held_out_speech(card: dict[str, Any], sample_rate: int):
    """The corpora of the card from the development recordings, split as training split them."""
    sources = [
        SpeechSource(path=DATA / row["name"], licence=row["licence"], exclude=row["exclude"])
        for row in card["training"]["data"]
    ]
    return load_speech(sources, sample_rate, card["training"]["stages"][0].get("held_out_share", 0.2))


def table(rows: list[dict[str, Any]]) -> None:
    """Print rows with aligned columns."""
    keys = list(rows[0])
    widths = [max(len(k), *(len(str(r[k])) for r in rows)) for k in keys]
    for line in [keys, *([str(r[k]) for k in keys] for r in rows)]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))
    print()


def main() -> None:
    """Print the tables; write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="held-out speech to judge")
    parser.add_argument("--fsq-steps", type=int, default=1500)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    card = json.loads(builtin.WEIGHTS.with_suffix(".json").read_text())
    codec = builtin.FAMILY.load(RepresentationConfig(codec="builtin", kind="codes"))
    rate = codec.sample_rate
    speech = held_out_speech(card, rate)
    same = speech.digest == card["training"]["data_digest"]
    chosen, total = [], 0.0
    # every n-th utterance, so that all held-out speakers are heard
    whole = sum(len(u.waveform) for u in speech.held_out) / rate / 60
    for u in speech.held_out[:: max(1, round(whole / options.minutes))]:
        chosen.append(u)
        total += len(u.waveform) / rate / 60
    print(f"weights {card['weights_sha256'][:12]}, {card['training']['steps']} steps; same data as training: {same}")
    print(f"{len({u.speaker for u in chosen})} held-out speakers, {len(chosen)} utterances, {total:.1f} minutes\n")

    def builtin_at(codebooks: int) -> Decode:
        def decode(waveform: np.ndarray) -> tuple[np.ndarray, float]:
            with torch.inference_mode():
                codes = codec.quantize(codec.encode_to_latent(torch.from_numpy(waveform)[None, None]), codebooks)
                out = codec.decode(codes)[0, 0, : len(waveform)].numpy()
            return out, codes.numel() * np.log2(codec.cardinality)

        return decode

    quality = [judge("original", chosen, lambda x: (x, 16.0 * len(x)), rate)]
    quality += [judge(f"builtin, {k} codebooks", chosen, builtin_at(k), rate) for k in (2, 4, 8)]
    quality += [judge(f"opus {b // 1000}", chosen, lambda x, b=b: opus(x, b, rate), rate) for b in (6000, 8000, 12000)]
    table(quality)
    with torch.inference_mode():
        codes = [codec.encode(torch.from_numpy(u.waveform)[None, None])[0].numpy() for u in speech.held_out]
    use = codebook_use(np.concatenate(codes, axis=1), codec.cardinality)
    frames = sum(c.shape[1] for c in codes)
    use_rows = [
        {"codebook": i, "used": round(u["used"], 3), "perplexity": round(u["perplexity"]), "frames": frames}
        for i, u in enumerate(use)
    ]
    table(use_rows)
    compared = quantizers(codec, speech.train, chosen, options.fsq_steps)
    table(compared)
    rates = speed(20.0, 3)
    print("audio seconds per CPU-second, one thread:", rates)
    if options.json:
        report = {"quality": quality, "use": use_rows, "quantizers": compared, "speed": rates, "same_data": same}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
