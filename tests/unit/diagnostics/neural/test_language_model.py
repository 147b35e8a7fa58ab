import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.diagnostics.known.sources import HiddenMarkov, ResidualQuantiser  # noqa: E402
from auricle.diagnostics.neural.frame_model import FrameModel  # noqa: E402
from auricle.diagnostics.neural.language_model import LanguageModel  # noqa: E402
from auricle.diagnostics.summary import diagnose_codes  # noqa: E402


def diagnose(codes, cardinality, **options):
    samples = [(f"clip {i:04}", f"speaker {i % 10:02}", clip) for i, clip in enumerate(codes)]
    return diagnose_codes(samples, 10.0, cardinality, group_kind="speaker", **options)


def small(**options):
    return LanguageModel(1e5, **{"hidden": 32, "embedding": 16, "max_steps": 15} | options)


def test_probabilities_of_all_frames_add_up_to_one_and_do_not_depend_on_later_frames():
    torch.manual_seed(0)
    model = FrameModel(2, 5, hidden=8, embedding=6).eval()
    past = torch.randint(0, 5, (1, 3, 2))
    last = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    clips = torch.cat((past.expand(25, -1, -1), last[:, None]), 1)
    with torch.no_grad():
        nats = model.nats(clips).sum(-1)
    assert torch.exp(-nats[:, 3]).sum() == pytest.approx(1, abs=1e-5)
    assert nats[:, :3].std(0).max() < 1e-5


def test_while_it_trains_the_past_is_known_in_part_and_a_score_has_nothing_random():
    torch.manual_seed(0)
    model = FrameModel(2, 5, hidden=8, embedding=6)
    clips = torch.randint(0, 5, (2, 40, 2))
    with torch.no_grad():
        trained = [model.train().nats(clips) for _ in range(2)]
        scored = [model.eval().nats(clips) for _ in range(2)]
    assert not torch.equal(*trained)
    assert torch.equal(*scored)


@pytest.mark.parametrize("with_vectors", [False, True])
def test_codes_without_a_pattern_are_not_learnt_by_heart(with_vectors):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (20, 2, 30))
    vectors = rng.standard_normal((2, 16, 4)) if with_vectors else None
    result = diagnose(codes, 16, members={"gru": small(max_steps=200, vectors=vectors)})
    assert 8 - 1e-3 <= result.portfolio.members["gru"] <= 8.35


@pytest.fixture(scope="module")
def hidden():
    source = HiddenMarkov.random(4, 16, seed=1)
    symbols = source.sample(40, 60, seed=2)
    member = small()
    return source.bits(symbols), symbols, diagnose(symbols[:, None], 16, members={"gru": member}), member


def test_the_mixture_beats_every_member_and_stays_above_the_truth(hidden):
    oracle, _, result, _ = hidden
    portfolio = result.portfolio
    assert set(portfolio.members) == {"counts", "gru"}
    assert portfolio.mixed < min(portfolio.members.values())
    assert portfolio.saved == pytest.approx(min(portfolio.members.values()) - portfolio.mixed)
    assert sum(portfolio.weights.values()) == pytest.approx(1)
    assert result.bits.sum() / result.num_frames == pytest.approx(portfolio.mixed, rel=1e-6)
    excess = result.bits - oracle.sum(1)
    assert excess.mean() >= -3 * excess.std() / np.sqrt(40)


def test_weights_are_kept_and_used_again(hidden):
    _, symbols, result, member = hidden
    again = diagnose(symbols[:, None], 16, members={"gru": small(weights=dict(member.weights), max_steps=1)})
    assert again.portfolio.members["gru"] == pytest.approx(result.portfolio.members["gru"], rel=1e-6)


def test_it_learns_codebooks_from_those_above_whatever_vectors_it_starts_from():
    codes, _ = ResidualQuantiser.random(2, 8, 2, seed=1).sample_with_bits(40, 40, seed=2)
    vectors = np.random.default_rng(0).normal(size=(2, 8, 4))
    result = diagnose(codes, 8, members={"gru": small(vectors=vectors, max_steps=30)})
    assert result.portfolio.members["gru"] < 5.5, "of 6 bits raw"
