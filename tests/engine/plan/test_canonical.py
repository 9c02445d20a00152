import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PlanChanged
from engine.plan.canonical import canonical_bytes, document, parse
from tests.engine.plans import plan


def paths(value, at=()):
    """Every leaf of a document, as the path to it."""
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*at, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from paths(part, (*at, index))
    else:
        yield at


LEAVES = sorted(paths(document(plan())), key=str)


def test_a_plan_survives_the_trip_through_its_document():
    assert parse(json.loads(canonical_bytes(document(plan())))) == plan()


@pytest.mark.fault("F60")
@given(st.sampled_from(LEAVES), st.sampled_from(["1", "x", 12, None]))
def test_any_edited_field_is_refused(path, value):
    edited = copy.deepcopy(document(plan()))
    holder = edited
    for part in path[:-1]:
        holder = holder[part]
    if holder[path[-1]] == value:
        return
    holder[path[-1]] = value

    with pytest.raises(PlanChanged):
        parse(edited)


@pytest.mark.parametrize("change", [{"added": 1}, {"orders": []}, {"schema": "hedge.plan/0"}])
def test_a_plan_with_parts_added_or_missing_is_refused(change):
    with pytest.raises(PlanChanged):
        parse({**document(plan()), **change})


def test_floats_have_no_canonical_form_in_a_plan():
    with pytest.raises(TypeError, match="no canonical form"):
        canonical_bytes({"x": object()})


def test_the_same_plan_has_the_same_digest_and_another_snapshot_another():
    assert plan().digest == plan().digest
    assert plan().digest != plan(snapshot_digest="s2").digest
    assert plan().digest != plan(policy_digest="p2").digest
