import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.policy.consensus import Ballot, Decision, Quorum, Stance, family_votes, flips, judge
from engine.signals.panel import Family

TECH, FUND, CHAIN = Family.TECHNICAL, Family.FUNDAMENTAL, Family.ONCHAIN
TWO_OF_THREE = Quorum(2, 3)

ballots = st.lists(
    st.builds(
        Ballot,
        member=st.text("abc", min_size=1, max_size=3),
        family=st.sampled_from([TECH, FUND, CHAIN]),
        stance=st.none() | st.sampled_from(list(Stance)),
        inputs=st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=2, unique=True).map(tuple),
        lost=st.booleans(),
    ),
    max_size=9,
)


def votes(family: Family, *stances: Stance | None) -> list[Ballot]:
    return [Ballot(f"{family}-{n}", family, stance, (f"{family}-{n}",)) for n, stance in enumerate(stances)]


@pytest.mark.requirement("D29", "S87")
def test_adding_risk_needs_two_of_three_families():
    one = votes(TECH, *[Stance.MORE] * 3) + votes(FUND, *[Stance.HOLD] * 3) + votes(CHAIN, *[Stance.HOLD] * 3)
    two = votes(TECH, *[Stance.MORE] * 3) + votes(FUND, *[Stance.MORE] * 3) + votes(CHAIN, *[Stance.HOLD] * 3)

    assert judge(one, TWO_OF_THREE).decision is Decision.NO_ACTION
    assert judge(two, TWO_OF_THREE).decision is Decision.INCREASE


@pytest.mark.requirement("X17")
def test_cutting_risk_needs_one_family():
    cut = votes(TECH, *[Stance.MORE] * 3) + votes(FUND, *[Stance.MORE] * 3) + votes(CHAIN, Stance.LESS)

    assert judge(cut, TWO_OF_THREE).decision is Decision.DECREASE


@pytest.mark.requirement("S88")
@pytest.mark.fault("F87")
def test_one_loud_signal_is_never_enough():
    loud = votes(TECH, *[Stance.MORE] * 3) + votes(FUND, Stance.MORE)

    verdict = judge(loud, TWO_OF_THREE)

    assert (verdict.base, verdict.decision) == (Decision.INCREASE, Decision.NO_ACTION)
    assert verdict.pivotal == ("fundamental-0",)


def test_a_family_without_a_strict_majority_abstains():
    split = family_votes(votes(TECH, Stance.MORE, Stance.LESS))
    unseen = family_votes(votes(TECH, None, None))

    assert [vote.stance for vote in (*split, *unseen)] == [None, None]


def test_a_vote_not_cast_is_not_a_vote_to_hold():
    seen = family_votes(votes(TECH, Stance.MORE, None, None))

    assert (seen[0].stance, seen[0].unseen) == (Stance.MORE, 2)


@pytest.mark.fault("F89")
def test_a_source_that_goes_missing_stops_new_risk():
    agreed = votes(TECH, *[Stance.MORE] * 3) + votes(FUND, *[Stance.MORE] * 3)
    dark = [Ballot("tvl", CHAIN, None, ("tvl",), lost=True)]

    verdict = judge(agreed + dark, TWO_OF_THREE)

    assert verdict.vetoed_by == (CHAIN,)
    assert verdict.decision is Decision.NO_ACTION


def test_a_source_that_nobody_has_stops_nothing():
    agreed = votes(TECH, *[Stance.MORE] * 3) + votes(FUND, *[Stance.MORE] * 3)
    never_had = [Ballot("tvl", CHAIN, None, ("tvl",))]

    assert judge(agreed + never_had, TWO_OF_THREE).decision is Decision.INCREASE


@given(ballots, st.sampled_from([Quorum(1, 3), Quorum(2, 3), Quorum(3, 3)]))
@pytest.mark.requirement("D29", "S88")
def test_an_increase_stands_with_any_one_input_taken_away(cast, quorum):
    verdict = judge(cast, quorum)

    if verdict.decision is Decision.INCREASE:
        for name in {name for ballot in cast for name in ballot.inputs}:
            assert judge([ballot.without(name) for ballot in cast], quorum).base is Decision.INCREASE


@given(ballots, st.sampled_from([Quorum(1, 3), Quorum(2, 3)]))
@pytest.mark.requirement("D29", "X17")
def test_taking_an_input_away_never_turns_a_decrease_into_an_increase(cast, quorum):
    if judge(cast, quorum).decision is Decision.DECREASE:
        for name in {name for ballot in cast for name in ballot.inputs}:
            assert judge([ballot.without(name) for ballot in cast], quorum).decision is not Decision.INCREASE


@given(ballots, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(cast, shuffle):
    shuffled = list(cast)
    shuffle.shuffle(shuffled)

    assert judge(shuffled, TWO_OF_THREE).decision is judge(cast, TWO_OF_THREE).decision


@given(ballots)
def test_each_flip_does_flip(cast):
    now = judge(cast, TWO_OF_THREE).decision

    assert all(outcome is not now for _, _, outcome in flips(cast, TWO_OF_THREE))


@pytest.mark.parametrize(("needed", "of"), [(0, 3), (4, 3), (-1, 2)])
def test_a_quorum_that_cannot_be_met_is_refused(needed, of):
    with pytest.raises(InputError, match="quorum"):
        Quorum(needed, of)
