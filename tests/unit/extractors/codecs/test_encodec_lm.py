"""EnCodec's language model, with weights that the test makes: no published ones are here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auricle.diagnostics.ngrams.code_store import CodeStore
from auricle.diagnostics.outside.language_model import CodeLanguageModel, OutsideMember
from auricle.extractors.codecs import encodec_lm
from auricle.extractors.coding.weights import resolve
from auricle.schemas.errors import WeightsError


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from encodec.model import LMModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LMModel(2, 16, num_layers=5, dim=200, past_context=262)
    path = tmp_path_factory.mktemp("lm") / "tiny.th"
    torch.save(model.state_dict(), path)
    return path, model.eval()


def test_it_is_a_causal_normalised_model_and_gives_what_the_package_gives_frame_by_frame(weights):
    path, upstream = weights
    model = encodec_lm.build(resolve("encodec-lm", str(path)), 2, 16)
    assert isinstance(model, CodeLanguageModel)
    assert model.knows("encodec24", 2, 16, 75.0)
    assert not model.knows("encodec24", 3, 16, 75.0)
    assert not model.knows("mimi", 2, 16, 12.5)
    codes = np.random.default_rng(0).integers(0, 16, (20, 2))
    found = model.probabilities(codes)
    before, states, offset = torch.zeros(1, 2, 1, dtype=torch.int64), None, 0
    with torch.no_grad():
        for t in range(20):
            expected, states, offset = upstream(before, states, offset)
            assert found[t] == pytest.approx(expected[0, :, :, 0].T.numpy(), abs=1e-5)
            before = torch.from_numpy(codes[t : t + 1].T)[None] + 1
    store = CodeStore(16)
    for i in range(6):
        store.add(f"clip {i}", f"speaker {i}", codes.T)
    store.close()
    bits = OutsideMember(model)(store, np.arange(6) % 3).bits
    assert bits.shape == (120, 2)
    assert 2 < bits.mean() < 8


def test_absent_weights_and_those_of_another_model_are_said_so(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("AURICLE_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=f"weights are absent.*{encodec_lm.FILE}"):
        encodec_lm.load()
    (tmp_path / encodec_lm.FILE).write_bytes(weights[0].read_bytes())
    with pytest.raises(WeightsError, match="are not those of the model"):
        encodec_lm.load()
