"""Training of the built-in codec: losses, quantisers, the loop that resumes, export."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
import yaml

from auricle.extractors.codecs.builtin import WEIGHTS
from auricle.extractors.codecs.builtin_model import BuiltinCodec, BuiltinConfig
from auricle.extractors.codecs.fsq import Fsq, ResidualFsq
from auricle.extractors.coding import registry
from auricle.extractors.training import builtin_evaluation as evaluation
from auricle.extractors.training.builtin_data import Crops, SpeechSource, Utterance, is_held_out, load_speech
from auricle.extractors.training.builtin_losses import LowWave, MultiScaleMel
from auricle.extractors.training.builtin_rvq import fit_codebooks, lloyd, nearest, quantize_for_training
from auricle.extractors.training.train_codec import CodecTraining, export, learning_rate, train
from auricle.jobs.terminal.config_file import load_model
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ConfigError
from auricle.schemas.keys import sha256_file

RECIPE = Path(__file__).parents[4] / "docs/builtin_codec.yaml"
RATE = 24_000


def speech_like(seconds: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * 16000)) / 16000
    f0 = 120 + 60 * (seed % 3) + 20 * np.sin(2 * np.pi * 2 * time)
    phase = 2 * np.pi * np.cumsum(f0) / 16000
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 3 * time)
    wave = sum(np.sin(k * phase) / k for k in range(1, 12)) * swell
    return (0.1 * wave + 0.005 * rng.normal(size=len(time))).astype(np.float32)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> SpeechSource:
    folder = tmp_path_factory.mktemp("speech")
    rows = ["file\tspeaker\tlanguage\ttranscript"]
    for i in range(12):
        sf.write(folder / f"{i}.wav", speech_like(1.5, i), 16000)
        rows.append(f"{i}.wav\tspeaker{i}\ten\t")
    (folder / "transcripts.tsv").write_text("\n".join(rows) + "\n")
    return SpeechSource(path=folder, licence="made here")


def test_the_mel_loss_of_a_copy_is_zero_and_of_a_gain_is_its_logarithm():
    torch.manual_seed(0)
    audio = 0.1 * torch.randn(2, 9600)
    mel = MultiScaleMel(RATE)
    assert float(mel(audio, audio)) == 0
    assert float(mel(10 * audio, audio)) == pytest.approx(len(mel.scales), rel=1e-4)
    log, envelope = mel.terms(2 * audio, audio, scales=[1])
    assert float(log) == pytest.approx(len(mel.scales) * math.log10(2), rel=1e-3)
    # every band is wrong by its own size, but for the floor under quiet bands
    assert float(envelope) == pytest.approx(len(mel.scales), rel=0.05)


def test_the_waveform_loss_sees_low_errors_and_not_high_ones():
    time = torch.arange(9600) / RATE
    low, high = torch.sin(2 * math.pi * 300 * time)[None], torch.sin(2 * math.pi * 5000 * time)[None]
    wave = LowWave(RATE, 1500.0)
    assert float(wave(low, low)) == 0
    assert float(wave(0.5 * low, low)) == pytest.approx(0.5, rel=0.01)
    assert float(wave(low + high, low)) < 0.01


def test_silence_gives_finite_losses_and_gradients():
    estimate = torch.zeros(1, 9600, requires_grad=True)
    loss = MultiScaleMel(RATE)(estimate, torch.zeros(1, 9600)) + LowWave(RATE, 1500.0)(estimate, torch.zeros(1, 9600))
    loss.backward()
    assert torch.isfinite(estimate.grad).all()


def test_k_means_of_the_codebooks_lowers_the_error_stage_by_stage():
    torch.manual_seed(0)
    codec = BuiltinCodec(BuiltinConfig(num_codebooks=3, cardinality=32, dimension=8))
    latents = torch.randn(2000, 8)
    fit_codebooks(codec.quantizer, latents, batch_frames=100, passes=4)
    errors = []
    for depth in (1, 2, 3):
        codes = codec.quantizer.encode(latents.T[None], n_q=depth)
        errors.append(float((codec.quantizer.decode(codes)[0].T - latents).square().mean()))
    assert errors[0] < 1
    assert errors[1] < 0.8 * errors[0]
    assert errors[2] < 0.8 * errors[1]
    assert float(codec.quantizer.layers[0]._codebook.cluster_size.sum()) == pytest.approx(100, rel=1e-4)


def test_the_nearest_entry_is_nearest_by_distance():
    torch.manual_seed(1)
    vectors, entries = torch.randn(50, 6), torch.randn(9, 6)
    assert torch.equal(nearest(vectors, entries), torch.cdist(vectors, entries).argmin(1))
    _, counts = lloyd(vectors, entries, passes=1)
    assert int(counts.sum()) == 50


def test_dead_entries_are_revived_and_training_agrees_with_encoding():
    torch.manual_seed(0)
    codec = BuiltinCodec(BuiltinConfig(num_codebooks=2, cardinality=16, dimension=4))
    latents = torch.randn(4, 4, 60)
    flat = latents.transpose(1, 2).flatten(0, 1)
    fit_codebooks(codec.quantizer, flat, batch_frames=len(flat), passes=3)
    book = codec.quantizer.layers[0]._codebook
    wanted = codec.quantizer.decode(codec.quantizer.encode(latents))
    got, commit = quantize_for_training(codec.quantizer, latents, 2, revive=False)
    torch.testing.assert_close(got, wanted)
    assert float(commit) == pytest.approx(float((wanted - latents).square().mean()), rel=1e-4)
    book.embed[3] = 1e6
    book.embed_avg[3] = 0
    book.cluster_size[3] = 0
    quantize_for_training(codec.quantizer, latents, 2, revive=True)
    assert float(book.embed[3].abs().max()) < 100


def test_gradients_pass_straight_through_the_quantiser():
    codec = BuiltinCodec(BuiltinConfig(num_codebooks=2, cardinality=16, dimension=4))
    latents = torch.randn(1, 4, 10, requires_grad=True)
    quantized, _ = quantize_for_training(codec.quantizer, latents, 2, revive=False)
    quantized.sum().backward()
    assert torch.equal(latents.grad, torch.ones_like(latents))


def test_every_fsq_index_is_reachable_and_decodes_to_itself():
    grid = Fsq((4, 3, 5))
    index = torch.arange(60)
    values = grid.values(index)
    assert values.min() == -1
    assert values.max() == 1
    assert len({tuple(v) for v in values.tolist()}) == 60
    _, again = grid(torch.atanh(values.clamp(-0.99999, 0.99999)))
    assert torch.equal(again, index)
    with pytest.raises(ValueError, match="two levels"):
        Fsq((4, 1))


def test_residual_fsq_encodes_what_it_forwards():
    torch.manual_seed(0)
    quantizer = ResidualFsq(8, 3, (4, 4))
    latent = torch.randn(2, 8, 5)
    total, index, losses = quantizer(latent)
    assert index.shape == (3, 2, 5)
    assert losses.shape == (3,)
    torch.testing.assert_close(quantizer.decode(index), total)
    assert torch.equal(quantizer.encode(latent, n_q=2), index[:2])


def test_the_grids_start_from_the_data_and_each_takes_a_part_of_what_was_left():
    torch.manual_seed(0)
    latents = torch.randn(4000, 8) * torch.tensor([3.0, 2, 1.5, 1, 0.8, 0.6, 0.4, 0.2]) + 5
    quantizer = ResidualFsq(8, 4, (4, 4, 4))
    quantizer.start(latents)
    with torch.no_grad():
        _, index, left = quantizer(latents.T[None])
    variance = float(latents.var(0).mean())
    # four levels of three of the eight dimensions, each with Max's error of 0.118 of its variance
    assert float(left[0]) == pytest.approx((0.1175 * (9 + 4 + 2.25) + 1 + 0.64 + 0.36 + 0.16 + 0.04) / 8, rel=0.05)
    assert left[3] < left[2] < left[1] < left[0] < variance
    assert float(left[3]) < 0.05 * variance
    assert all(len(row.unique()) == 64 for row in index)


def test_principal_components_alone_are_a_codec():
    codec = BuiltinCodec(BuiltinConfig()).eval()
    audio = torch.from_numpy(np.stack([speech_like(1.6, i) for i in range(3)]))[:, None]
    with torch.no_grad():
        codec.start_linear(codec.analysis(audio))
        spectrum = codec.analysis(audio)
        back = codec.overlap_add(codec.shortcut_out(codec.shortcut_in(spectrum)))
    assert evaluation.si_sdr_db(back[0, 0].numpy(), audio[0, 0].numpy()) > 6


def test_si_sdr_of_a_known_error():
    rng = np.random.default_rng(0)
    target, noise = rng.normal(size=(2, 4000))
    noise -= target * (noise @ target) / (target @ target)
    noise *= np.linalg.norm(target) / np.linalg.norm(noise) / 10
    assert evaluation.si_sdr_db(3 * (target + noise), target) == pytest.approx(20, abs=1e-6)


def test_codebook_use_of_uniform_and_of_constant_codes():
    codes = np.stack([np.arange(64) % 16, np.zeros(64, dtype=int)])
    uniform, constant = evaluation.codebook_use(codes, 32)
    assert (uniform["used"], uniform["perplexity"]) == (0.5, pytest.approx(16))
    assert (constant["used"], constant["perplexity"]) == (1 / 32, pytest.approx(1))


def test_a_clip_too_short_for_stoi_has_none():
    assert evaluation.stoi_of(np.zeros(2000, np.float32), np.zeros(2000, np.float32), RATE) is None


def test_speakers_are_split_by_hash_and_never_shared(source):
    speech = load_speech([source], RATE, 0.3)
    train_speakers = {u.speaker for u in speech.train}
    held = {u.speaker for u in speech.held_out}
    assert not train_speakers & held
    assert held == {f"speaker{i}" for i in range(12) if is_held_out(f"speaker{i}", 0.3)}
    assert speech.digest == load_speech([source], RATE, 0.5).digest
    assert len(load_speech([source.model_copy(update={"exclude": ["1"]})], RATE, 0.3).train) < len(speech.train)


def test_a_source_without_a_list_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"transcripts\.tsv"):
        load_speech([SpeechSource(path=tmp_path, licence="none")], RATE, 0.3)


def test_a_batch_depends_on_the_seed_and_its_number_alone():
    line = [Utterance("a", "s", np.arange(50_000, dtype=np.float32) / 50_000)]
    crops = Crops(line, 3, 640, seed=1)
    crops(5)
    assert np.array_equal(crops(7), Crops(line, 3, 640, seed=1)(7))
    assert not np.array_equal(crops(7), crops(8))
    assert crops(7).shape == (3, 1, 640)
    assert np.abs(crops(7)).max() <= 1


def test_the_learning_rate_rises_holds_and_falls_to_zero(source, tmp_path):
    config = CodecTraining(sources=[source], out=tmp_path, steps=1000, warmup=10, cooldown=0.5, peak_lr=1.0)
    assert learning_rate(config, 4) == pytest.approx(0.5)
    assert learning_rate(config, 400) == 1
    assert learning_rate(config, 750) == pytest.approx(0.5)
    assert learning_rate(config, 1000) == 0


@pytest.mark.parametrize("quantizer", ["rvq", "fsq"])
def test_training_resumes_to_the_same_weights_as_an_uninterrupted_run_and_exports(source, tmp_path, quantizer):
    def config(name: str, steps: int) -> CodecTraining:
        return CodecTraining(
            sources=[source],
            out=tmp_path / name,
            quantizer=quantizer,
            steps=steps,
            cooldown=0,
            batch=2,
            crop_s=0.4,
            held_out_share=0.3,
        )

    report = train(config("whole", 4))
    assert report["step"] == 4
    train(config("broken", 2))
    train(config("broken", 4))
    states = [json.loads((tmp_path / name / "state.json").read_text()) for name in ("whole", "broken")]
    assert [s["step"] for s in states] == [4, 4]
    whole, broken = (tmp_path / n / s["tensors"] for n, s in zip(("whole", "broken"), states, strict=True))
    assert whole.read_bytes() == broken.read_bytes()
    assert states[1]["stages"][1] == {"from_step": 2, "steps": 4}
    card = export(tmp_path / "whole", tmp_path / "shipped.safetensors", refit_frames=750)
    assert card["trained"]
    assert card["bitrate_bps"] <= 6000
    assert card["num_bytes"] <= 2_000_000
    assert card["training"]["data"][0]["licence"] == "made here"
    assert str(Path(source.path)) not in json.dumps(card)
    view = RepresentationConfig(codec="builtin", kind="codes", weights=str(tmp_path / "shipped.safetensors"))
    spec = registry.describe(view)
    assert spec.trained
    (built,) = registry.build([view])
    assert built.extract(speech_like(0.5, 1)[None], 16000)[spec.name].shape == (8, 38)


def test_the_recipe_is_that_of_the_weights_that_ship():
    recipe = load_model(CodecTraining, RECIPE)
    card = json.loads(WEIGHTS.with_suffix(".json").read_text())
    named = [{"name": s.path.name, "licence": s.licence, "exclude": s.exclude} for s in recipe.sources]
    assert named == card["training"]["data"]
    first, *later = card["training"]["stages"]
    settings = recipe.model_dump(mode="json", include=set(first) - {"steps"})
    assert settings == {name: first[name] for name in settings}
    # what came later is only how far to go, said before the learning rate began to fall: the same run
    assert all(set(stage) == {"from_step", "steps"} for stage in later)
    assert all(stage["from_step"] < (1 - recipe.cooldown) * recipe.steps for stage in later)
    assert card["training"]["steps"] == recipe.steps == [first, *later][-1]["steps"]


def test_one_command_trains_exports_and_prints_the_card(source, tmp_path):
    recipe = yaml.safe_load(RECIPE.read_text())
    recipe |= {"sources": [source.model_dump(mode="json")], "out": str(tmp_path / "run"), "held_out_share": 0.3}
    recipe |= {"steps": 2, "batch": 1, "crop_s": 0.4}
    (tmp_path / "codec.yaml").write_text(yaml.safe_dump(recipe))
    weights = tmp_path / "builtin.safetensors"
    command = ["train", "codec", str(tmp_path / "codec.yaml"), "--export", str(weights)]
    done = subprocess.run([sys.executable, "-m", "auricle.jobs.cli", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    card = json.loads(weights.with_suffix(".json").read_text())
    assert (card["training"]["steps"], card["weights_sha256"]) == (2, sha256_file(weights))
    assert card["weights_sha256"] in done.stdout
