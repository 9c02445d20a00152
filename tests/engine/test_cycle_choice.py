"""How the condors a decision sells stand among all that are listed: by expectation, by deviations, by delta."""

import re

import numpy as np
import pytest

from engine.policy.candidates import Kind
from engine.policy.outcomes import Law
from engine.report.explanation import explain
from engine.risk.physical import physical_returns, variance_premium
from tests.engine.desk_cases import POLICY, decided, snapshot

SEEN = snapshot()


@pytest.fixture(scope="module")
def decision():
    return decided(SEEN)


@pytest.mark.requirement("S12")
def test_every_condor_sold_says_its_place_among_the_widths_and_tenors_listed(decision):
    ranking = decision.target.ranking
    sold = [line for line in decision.target.core.changes if line.kind is Kind.CONDOR and line.change > 0]
    changes = {change.what: change for change in explain(decision).changes}

    assert sold
    assert [score.ratio for score in ranking] == sorted((score.ratio for score in ranking), reverse=True)
    for line in sold:
        said = [each.says for each in changes[f"sell {line.change:.0f} {line.terms.id}"].because if each.id == "S12"]
        better = sum(score.ratio > own(ranking, line.terms).ratio for score in ranking)
        assert re.search(rf": {better + 1} of {len(ranking)} widths and tenors listed", said[0])
        assert [each.split(",")[0].split(" ")[2] for each in said[1:]] == [f"{line.terms.put_sd:.2f}", "deltas"]


@pytest.mark.requirement("S12", "D33")
def test_a_condor_is_ranked_by_what_history_makes_of_it_after_its_costs(decision):
    score = decision.target.ranking[0]
    low, put, call, high = (float(leg.strike) for leg in score.offer.condor.legs)
    short = score.offer.condor.put_short
    smile = decision.view.smiles[short.root, short.expiry]
    closes, vix, day = SEEN.histories["SPX"], SEEN.histories["VIX"], SEEN.asof.date()
    moves = physical_returns(
        closes,
        day,
        sessions=round(smile.years * 252),
        years=smile.years,
        implied_vol=smile.atm_vol,
        vrp=variance_premium(closes, vix, day, shrink=POLICY.core.expectation_vrp_shrink),
    ).log_returns
    joint = int(re.search(r"([\d,]+) filtered past returns", decision.target.core.measure)[1].replace(",", ""))
    moves = moves[:joint]  # days that every expiry of the measure, VIX's too, has a return from
    level = smile.forward * np.exp(moves) / np.exp(moves).mean()
    owed = np.clip(put - level, 0, put - low) + np.clip(level - call, 0, high - call)
    result = score.offer.credit * 100 - np.exp(-smile.rate * smile.years) * owed * 100 - 4 * 1.15

    assert score.expected == pytest.approx(result.mean(), rel=1e-6)
    tail = 0.025 * len(result)  # the last scenario of the tail counts for its part
    worst = np.sort(result)[: int(np.ceil(tail))]
    part = tail - np.floor(tail) or 1.0
    assert score.shortfall == pytest.approx(-(worst[:-1].sum() + part * worst[-1]) / tail, rel=1e-6)


@pytest.mark.requirement("S12", "D33")
def test_no_condor_is_expected_to_earn_under_the_law_its_own_quotes_imply():
    ranking = decided(SEEN, law=Law.RISK_NEUTRAL).target.ranking

    assert ranking
    assert all(score.expected < 0 for score in ranking)


def own(ranking, offer):
    (found,) = (score for score in ranking if score.offer.id == offer.id)
    return found
