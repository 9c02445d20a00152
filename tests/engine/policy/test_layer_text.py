import pytest

from engine.policy.bands import Band
from engine.policy.layer_text import LAYER_TEXTS, layer_of
from engine.policy.layers import DEFAULT
from engine.policy.settings import Policy

CORE = Band("core", 30, 60)


@pytest.mark.parametrize("at", range(len(DEFAULT)))
def test_a_layer_written_and_read_back_is_the_same(at):
    assert layer_of(LAYER_TEXTS[at], CORE) == DEFAULT[at]


@pytest.mark.requirement("X01", "S02", "S04")
def test_the_cores_days_are_those_of_its_own_section():
    policy = Policy.model_validate({"core": {"dte_min": 40, "dte_target": 50, "dte_max": 55}})

    core = policy.layer_table()["core"].dte

    assert (core.shortest, core.longest) == (40, 55)


def test_a_policy_may_have_layers_of_its_own():
    texts = [text if text.name != "overlay" else text.model_copy(update={"dte": "10-12 days"}) for text in LAYER_TEXTS]

    table = Policy(layers=tuple(texts)).layer_table()

    assert [days for days in range(60) if table["overlay"].dte.holds(days)] == [10, 11, 12]
