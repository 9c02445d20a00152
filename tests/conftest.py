"""Property tests draw the same examples each run, few for `make check`; `make soak` draws a thousand new ones."""

import os

import pytest
from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("brief", derandomize=True, deadline=None, max_examples=10)
settings.register_profile("soak", derandomize=False, deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

_LONGEST = ("journey", "chain")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest begin first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: next((at for at, mark in enumerate(_LONGEST) if mark in item.keywords), len(_LONGEST)))
