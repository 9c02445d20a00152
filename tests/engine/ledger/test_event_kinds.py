"""The properties of the ledger are tried on every kind of posting there is."""

import importlib
import inspect
import pkgutil
import sys

import pytest
from hypothesis import HealthCheck, given, settings

import engine.ledger
from tests.engine.ledger.events import journals

SELECTS = {"reversal.open_in_flight"}
"""Gives back entries it was given and makes none."""


def kinds():
    """Code of every public function of the ledger that makes entries, by module and name."""
    found = {}
    for each in pkgutil.iter_modules(engine.ledger.__path__):
        module = importlib.import_module(f"engine.ledger.{each.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            made = str(inspect.signature(function).return_annotation)
            if function.__module__ == module.__name__ and not name.startswith("_") and "Entry" in made:
                found[f"{each.name}.{name}"] = function.__code__
    return {name: code for name, code in found.items() if name not in SELECTS}


@pytest.mark.requirement("D34")
def test_random_journals_hold_postings_of_every_kind():
    wanted, called = kinds(), set()

    @settings(max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(journals())
    def draw(_):
        pass

    def note(frame, event, _):
        if event == "call":
            called.add(frame.f_code)

    sys.setprofile(note)
    try:
        draw()
    finally:
        sys.setprofile(None)

    assert len(wanted) > 25
    assert sorted(name for name, code in wanted.items() if code not in called) == []
