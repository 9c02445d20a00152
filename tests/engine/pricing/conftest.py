"""Every law of a pricing function holds in numpy and compiled."""

import pytest

from engine.pricing.fast import installed


@pytest.fixture(params=[False, True], ids=["numpy", "compiled"])
def fast(request: pytest.FixtureRequest) -> bool:
    if request.param and not installed():
        pytest.skip("the extra `fast` is not installed")
    return bool(request.param)
