import json

import numpy as np
import pytest
import soundfile

from auricle.curators.signal.learned import estimate, load_weights
from auricle.curators.training.train_acoustic import Recipe, audio_files, labelled_speech, snapshot, train
from auricle.schemas.errors import ConfigError

TINY = Recipe(mixtures=6, held_out=8, seconds=2.0, responses=4, steps=2, batch_size=3, width=8, dilations=(1, 2))


@pytest.fixture
def corpus(tmp_path):
    """Two synthetic talkers with pauses, one noise and one music file per half."""
    pytest.importorskip("espeakng_loader")
    from auricle.jobs.demo.espeak import Voice, synthesise

    rng = np.random.default_rng(0)
    for folder in ("speech", "noise", "music"):
        (tmp_path / folder).mkdir()
    rows = ["file\tspeaker\tlanguage\ttranscript"]
    for name, voice in (("a", "en-us"), ("b", "en-us+f2")):
        x, rate = synthesise("The birch canoe slid on the smooth planks. It is easy to tell.", Voice(voice))
        quiet = rng.normal(0, 2, rate).astype(np.int16)
        soundfile.write(tmp_path / "speech" / f"{name}.wav", np.concatenate([quiet, x, quiet]), rate)
        rows.append(f"{name}.wav\t{name}\ten\t")
        for folder in ("noise", "music"):
            soundfile.write(tmp_path / folder / f"{name}.wav", rng.normal(0, 0.1, 16000), 16000)
    (tmp_path / "speech" / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def run(corpus, out, recipe=TINY):
    return train(
        labelled_speech([corpus / "speech" / "labels.tsv"]),
        audio_files(corpus / "noise"),
        audio_files(corpus / "music"),
        out,
        recipe,
        progress=lambda line: None,
    )


def test_training_writes_weights_that_run_and_a_card_that_names_the_data(corpus):
    card = run(corpus, corpus / "net.safetensors")
    heard = estimate(
        load_weights(corpus / "net.safetensors"), np.ones(4000, dtype=np.float32), np.ones(8), np.zeros((8, 256))
    )
    assert heard.present.shape[1] == 3
    kept = json.loads((corpus / "net.json").read_text())
    assert kept == card
    assert kept["data"]["snapshot_sha256"] == snapshot(
        *(audio_files(corpus / folder) for folder in ("speech", "noise", "music"))
    )
    assert kept["recipe"]["seed"] == 0


def test_the_same_data_and_seed_give_the_same_weights(corpus):
    run(corpus, corpus / "one.safetensors")
    run(corpus, corpus / "two.safetensors")
    assert (corpus / "one.safetensors").read_bytes() == (corpus / "two.safetensors").read_bytes()


def test_further_noise_is_learned_from_and_not_held_out(corpus):
    plain = run(corpus, corpus / "one.safetensors")
    further = audio_files(corpus / "noise")[:1]
    card = train(
        labelled_speech([corpus / "speech" / "labels.tsv"]),
        audio_files(corpus / "noise"),
        audio_files(corpus / "music"),
        corpus / "two.safetensors",
        TINY,
        more_noise=further,
        progress=lambda line: None,
    )
    assert card["data"]["further_noise_files"] == 1
    assert card["data"]["snapshot_sha256"] != plain["data"]["snapshot_sha256"]
    assert card["data"]["held_out"] == plain["data"]["held_out"]
    assert (corpus / "one.safetensors").read_bytes() != (corpus / "two.safetensors").read_bytes()


def test_noise_given_as_speech_is_refused_with_what_to_do(corpus):
    noise = [(path, path.stem) for path in audio_files(corpus / "noise")]
    with pytest.raises(ConfigError, match="cleaner recordings"):
        train(noise, [], [], corpus / "net.safetensors", TINY, progress=lambda line: None)


def test_a_table_without_speakers_and_a_folder_without_sound_are_refused_with_what_is_required(tmp_path):
    (tmp_path / "labels.tsv").write_text("file\ttranscript\na.wav\thello\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"labels\.tsv: no column speaker"):
        labelled_speech([tmp_path / "labels.tsv"])
    with pytest.raises(ConfigError, match="sound files"):
        audio_files(tmp_path)
