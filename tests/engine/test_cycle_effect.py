"""What the hedges of a decision do beside its ratio, by an independent reckoning contract by contract."""

import numpy as np
import pytest

from engine.policy.candidates import Kind
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_values
from scripts.layering import layering
from tests.engine.desk_cases import decided, snapshot

SEEN = snapshot()


def worth(decision, kind, scenarios):
    """USD of the lines of one kind in each scenario."""
    total = 0.0
    for line in decision.target.core.lines:
        if line.kind is kind:
            condor = kind is Kind.CONDOR
            legs = (line.terms.condor.legs, line.terms.condor.quantities) if condor else ((line.terms.option,), (1,))
            for option, quantity in zip(*legs, strict=True):
                total = total + line.wanted * quantity * unit_values(option, decision.view, scenarios)
    return total


@pytest.mark.requirement("D10")
def test_delta_vega_and_what_the_hedges_explain_of_recorded_losses_stand_beside_the_ratio():
    decision = decided(SEEN)
    spot, vix = SEEN.histories["SPX"], SEEN.histories["VIX"]
    shared = sorted(set(spot.days.tolist()) & set(vix.days.tolist()))[-505:]
    closes, levels = (dict(zip(each.days.tolist(), each.values, strict=True)) for each in (spot, vix))
    moves = np.diff(np.log([closes[day] for day in shared]))
    changes = np.diff([levels[day] for day in shared]) / 100
    days = Scenarios.of(moves, changes, 1.0)
    losses, gains = -worth(decision, Kind.CONDOR, days), worth(decision, Kind.HEDGE, days)
    slope, level = np.polyfit(gains[:252], losses[:252], 1)
    missed, around = losses[252:] - level - slope * gains[252:], losses[252:] - losses[:252].mean()
    explained = 1 - (missed**2).sum() / (around**2).sum()

    def offset(**bump):
        up = Scenarios.of(**{name: [step] for name, step in bump.items()})
        down = Scenarios.of(**{name: [-step] for name, step in bump.items()})
        moved = {kind: worth(decision, kind, up)[0] - worth(decision, kind, down)[0] for kind in Kind if kind != "loan"}
        return -moved[Kind.HEDGE] / moved[Kind.CONDOR]

    (said,) = (note for note in layering(decision).notes if note.startswith("hedges offset"))

    assert said == (
        f"hedges offset {offset(spot=1e-4):.0%} of the condors' delta and {offset(vol=1e-4):.0%} of their vega; of "
        f"their losses in the last 252 sessions, fitted on those before, they explain SPX options {explained:.0%} (D10)"
    )
