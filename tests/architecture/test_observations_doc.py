import re
from pathlib import Path

from engine.signals.catalogue import names

PAGE = Path(__file__).resolve().parents[2] / "docs" / "observations.md"


def test_every_observation_a_signal_reads_is_documented():
    documented = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    read = {name for signal in names().values() for name in signal.inputs}

    assert sorted(read - documented) == []
