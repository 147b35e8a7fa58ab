import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from auricle.curators.words.ctc import CtcCurator, align_tokens
from auricle.curators.words.ctc_model import CtcSpec, in_batches
from auricle.curators.words.ctc_recogniser import best_path_text
from auricle.curators.words.relabel import Recogniser, recogniser
from auricle.schemas.clip import Clip
from auricle.schemas.errors import ConfigError, WeightsError

RATE = 16000
LABELS = ["-", "|", *"abcdefghijklmnopqrstuvwxyz'"]
TINY = {
    "extractor_mode": "layer_norm",
    "extractor_conv_layer_config": [[16, 10, 5], [16, 8, 8], [16, 4, 4], [16, 2, 2]],
    "extractor_conv_bias": True,
    "encoder_embed_dim": 16,
    "encoder_projection_dropout": 0.0,
    "encoder_pos_conv_kernel": 3,
    "encoder_pos_conv_groups": 1,
    "encoder_num_layers": 1,
    "encoder_num_heads": 2,
    "encoder_attention_dropout": 0.0,
    "encoder_ff_interm_features": 16,
    "encoder_ff_interm_dropout": 0.0,
    "encoder_dropout": 0.0,
    "encoder_layer_norm_first": True,
    "encoder_layer_drop": 0.0,
    "aux_num_out": len(LABELS),
}


def write_model(folder, seed=0, **changes):
    import torchaudio

    torch.manual_seed(seed)
    model = torchaudio.models.wav2vec2_model(**{**TINY, **changes})
    config = {"wav2vec2": {**TINY, **changes}, "labels": LABELS, "blank": 0, "sample_rate": RATE, "normalise": True}
    (folder / "config.json").write_text(json.dumps(config))
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp("ctc")))


def clip(text="a cat sat", seconds=2.0, language="en", seed=0):
    x = 0.1 * np.random.default_rng(seed).normal(size=int(seconds * RATE)).astype(np.float32)
    return Clip("", x, RATE, transcript=text, language=language)


def log_probabilities(rows):
    return np.log(np.array(rows) + 1e-6)


def test_a_path_that_is_certain_has_no_loss():
    scores = log_probabilities([[0, 1, 0.0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    fit = align_tokens(scores, [[1], [2]], blank=0)
    assert (fit.per_frame, fit.per_letter, fit.worst_word) == pytest.approx((0, 0, 0), abs=1e-4)
    assert fit.words == [(0, 1), (2, 3)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")
def test_the_path_is_as_likely_as_torchaudios(seed):
    from torchaudio.functional import forced_align

    rng = np.random.default_rng(seed)
    scores = np.log(rng.dirichlet(np.ones(5), size=30)).astype(np.float32)
    letters = rng.integers(1, 5, size=int(rng.integers(1, 14)))
    fit = align_tokens(scores, [letters.tolist()], blank=0)
    _, theirs = forced_align(torch.tensor(scores)[None], torch.tensor(letters, dtype=torch.int32)[None], blank=0)
    assert fit.per_frame == pytest.approx(float(theirs.mean()), abs=1e-4)


def test_the_word_that_fits_worst_is_the_worst_word():
    scores = log_probabilities([[0.1, 0.9, 0], [0.9, 0.1, 0], [0.5, 0, 0.5], [1, 0, 0.0]])
    assert align_tokens(scores, [[1], [2]], blank=0).worst_word == pytest.approx(np.log(0.5), abs=0.01)


def test_more_letters_than_frames_do_not_fit():
    assert align_tokens(np.zeros((3, 4)), [[1, 2], [3, 1]], blank=0) is None
    assert align_tokens(np.zeros((3, 4)), [[1, 1], [2]], blank=0) is None


def test_the_columns_are_those_of_the_default_curator(model):
    from auricle.curators.words.transcript import TranscriptCurator

    assert [c.name for c in CtcCurator.columns] == [c.name for c in TranscriptCurator.columns]
    (row,) = CtcCurator(model=model).score([clip()])
    assert row["align_ok"] is True
    assert 0 < row["transcript_trust"] < 1
    assert row["min_word_nats"] <= np.log(row["transcript_trust"]) + 1e-6
    assert row["oov_ratio"] == 0
    times = json.loads(row["word_times"])
    assert [word for word, _, _ in times] == ["a", "cat", "sat"]
    assert all(0 <= a < b <= d <= 2.0 for (_, a, b), (_, d, _) in zip(times, [*times[1:], ["", 2.0, 2.0]], strict=True))


def test_a_clip_scores_the_same_alone_and_in_any_batch(model):
    clips = [clip(seconds=s, seed=k) for k, s in enumerate((1.0, 2.5, 1.7))]
    together = CtcCurator(model=model).score(clips)
    alone = [CtcCurator(model=model).score([clip(seconds=s, seed=k)])[0] for k, s in enumerate((1.0, 2.5, 1.7))]
    small = CtcCurator(model=model, batch_s=2.0).score([clip(seconds=s, seed=k) for k, s in enumerate((1.0, 2.5, 1.7))])
    for a, b, c in zip(together, alone, small, strict=True):
        assert a["transcript_trust"] == pytest.approx(b["transcript_trust"], rel=1e-3)
        assert a["transcript_trust"] == pytest.approx(c["transcript_trust"], rel=1e-3)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (clip(None), "not_applicable: no transcript"),
        (clip("  "), "not_applicable: no transcript"),
        (clip("..."), "not_applicable: no words"),
        (clip(language="de"), "not_applicable: the model is not asked"),
        (clip("привет как дела"), "not_applicable: the model's alphabet"),
        (clip(seconds=0.01), "unmeasurable: shorter"),
        (clip("many words " * 100, seconds=0.5), "unmeasurable: the words do not fit"),
    ],
)
def test_what_cannot_be_scored_says_why(model, made, reason):
    (row,) = CtcCurator(model=model).score([made])
    assert row["reason"].startswith(reason)
    assert row["transcript_trust"] in (None, 0.0)


def test_other_languages_when_asked_and_accents_dropped(model):
    curator = CtcCurator(model=model, languages=None)
    (row,) = curator.score([clip("été à la plage", language="fr")])
    assert row["align_ok"] is True
    assert row["oov_ratio"] == 0


def test_the_fingerprint_is_the_weights_not_their_place_or_the_device(model, tmp_path):
    same = write_model(tmp_path)
    assert CtcCurator(model=model).fingerprint == CtcCurator(model=str(same), batch_s=9).fingerprint
    (tmp_path / "other").mkdir()
    other = write_model(tmp_path / "other", seed=1)
    assert CtcCurator(model=model).fingerprint != CtcCurator(model=str(other)).fingerprint
    assert CtcCurator(model=model).fingerprint != CtcCurator(model=model, languages=None).fingerprint


def test_a_bundle_without_its_weights_says_what_to_fetch_and_where_to_put_it(monkeypatch, tmp_path):
    monkeypatch.setenv("AURICLE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(WeightsError, match=r"MMS_FA.*model\.pt.*MMS_FA\.pt"):
        _ = CtcCurator().fingerprint


def test_a_bundles_published_file_loads_without_the_outputs_that_no_label_stands_for(monkeypatch, tmp_path, model):
    plain = load_file(f"{model}/model.safetensors")
    rows = torch.arange(len(LABELS) + 3)
    used = torch.tensor([row not in (1, 2, 3) for row in rows])
    published = dict(plain)
    for name in ("aux.weight", "aux.bias"):
        published[name] = torch.full((len(rows), *plain[name].shape[1:]), 9.0)
        published[name][used] = plain[name]
    torch.save(published, tmp_path / "published.pt")
    bundle = SimpleNamespace(
        _params=TINY,
        _normalize_waveform=True,
        _remove_aux_axis=(1, 2, 3),
        get_labels=lambda: LABELS,
        get_model=None,
        sample_rate=RATE,
    )
    monkeypatch.setattr("torchaudio.pipelines.MMS_FA", bundle)
    theirs = CtcCurator(model="MMS_FA", weights=str(tmp_path / "published.pt")).score([clip()])
    ours = CtcCurator(model=model).score([clip()])
    assert theirs[0]["reason"] is None
    assert theirs == ours


def test_an_unknown_model_is_refused_with_the_names_that_exist():
    with pytest.raises(ConfigError, match="MMS_FA"):
        _ = CtcCurator(model="WAV2VEC9").fingerprint


def test_weights_of_another_architecture_are_refused(tmp_path):
    write_model(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["wav2vec2"]["encoder_embed_dim"] = 32
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="does not fit"):
        CtcCurator(model=str(tmp_path)).score([clip()])


def said(text):
    """Scores `[F, labels]` that say `text`: each letter two frames long, a blank after it."""
    frames = [k for letter in text for k in (LABELS.index(letter), LABELS.index(letter), 0)]
    return np.log(np.eye(len(LABELS))[frames] + 1e-6)


def test_repeats_are_joined_blanks_left_out_and_bars_are_spaces():
    spec = CtcSpec("x", None, tuple(LABELS), 0, RATE)
    assert best_path_text(said("|hello||you|"), spec) == "hello you"
    assert best_path_text(said("--"), spec) == ""
    assert best_path_text(np.zeros((0, len(LABELS))), spec) == ""


def test_text_comes_in_order_whatever_the_batches(model):
    heard = recogniser("ctc", {"model": model})
    assert isinstance(heard, Recogniser)
    assert heard.name.startswith(f"ctc-{Path(model).name}-")
    clips = [clip(seconds=s, seed=k) for k, s in enumerate((1.0, 3.0, 0.5, 2.0))]
    together = heard.transcribe(clips)
    assert any(together)
    assert together == [heard.transcribe([one])[0] for one in clips]
    assert recogniser("ctc", {"model": model, "batch_s": 0.1}).transcribe(clips) == together


def test_what_cannot_be_heard_has_no_text(model):
    broken = clip()
    broken.waveform = np.full(RATE, np.nan, dtype=np.float32)
    heard = recogniser("ctc", {"model": model})
    assert heard.transcribe([broken, clip(seconds=0.01)]) == ["", ""]


def test_absent_weights_and_unknown_options_are_refused(model, tmp_path, monkeypatch):
    monkeypatch.setenv("AURICLE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="WAV2VEC2_ASR_BASE_960H"):
        recogniser("ctc")
    with pytest.raises(ConfigError, match="beams"):
        recogniser("ctc", {"model": model, "beams": 3})


def test_batches_are_bounded_by_what_padding_costs():
    groups = list(in_batches([1.0, 5.0, 4.0, 2.0, 9.0], lambda s: s, 10.0))
    assert groups == [[9.0], [5.0, 4.0], [2.0, 1.0]]
