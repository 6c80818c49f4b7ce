"""Chance by seed and key, spreads and weights."""

from hypothesis import given
from hypothesis import strategies as st

from services.designers.simulation.draws import Draws, Spread, Weights
from services.designers.simulation.samples import MOST, Sample


def test_a_share_depends_on_seed_and_key_alone() -> None:
    draws, others = Draws(1), Draws(2)
    draws.share("anything", 7)
    assert draws.share("case", 1) == Draws(1).share("case", 1)
    assert len({draws.share("case", 1), draws.share("case", 2), others.share("case", 1)}) == 3


def test_shares_are_spread_evenly() -> None:
    shares = [Draws(1).share("case", number) for number in range(2000)]
    assert 0.47 < sum(shares) / len(shares) < 0.53
    assert min(shares) < 0.01
    assert max(shares) > 0.99


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0, 1))
def test_a_spread_rises_from_its_least_to_its_largest(values: list[float], share: float) -> None:
    spread = Spread.of(values)
    assert min(values) <= spread.at(share) <= max(values)
    assert spread.at(0) == min(values)
    assert spread.at(1) == max(values)
    assert spread.at(share / 2) <= spread.at(share)


def test_weights_choose_as_often_as_they_weigh() -> None:
    weights = Weights({"rare": 1, "never": 0, "often": 3})
    chosen = [weights.at(number / 1000) for number in range(1000)]
    assert (chosen.count("rare"), chosen.count("often")) == (250, 750)


def test_a_sample_keeps_few_of_many_and_computes_only_those() -> None:
    computed: list[int] = []

    def value(number: int) -> float:
        computed.append(number)
        return number

    sample = Sample()
    for number in range(20 * MOST):
        sample.offer(lambda number=number: value(number))  # type: ignore[misc]
    assert len(sample.values) == MOST
    assert len(computed) < 6 * MOST
    assert 9 * MOST < Spread.of(sample.values).at(0.5) < 11 * MOST
