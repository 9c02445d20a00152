import xml.etree.ElementTree as ET

import numpy as np
import pytest

from engine.errors import InputError
from engine.report.surface_chart import smile_chart, total_variance_chart
from engine.risk.surface import fit_surface
from tests.engine.risk.test_surface import CURVE, _chain, _quotes

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def slices():
    return fit_surface(_chain((_quotes(9), _quotes(30))), CURVE).slices


def drawn(slices):
    return [smile_chart(slices[0]), total_variance_chart(slices)]


def test_charts_are_well_formed_named_described_and_inert(slices):
    for svg in drawn(slices):
        root = ET.fromstring(svg)
        ids = root.get("aria-labelledby").split()
        assert [root.find(SVG + tag).get("id") for tag in ("title", "desc")] == ids
        assert all(root.find(SVG + tag).text for tag in ("title", "desc"))
        assert "url(" not in svg
        assert "nan" not in svg


def test_equal_surfaces_give_equal_bytes(slices):
    assert drawn(slices) == drawn(slices)


def test_a_smile_has_one_bar_a_quote_and_marks_the_forward(slices):
    root = ET.fromstring(smile_chart(slices[0]))
    bars = next(path.get("d") for path in root.iter(SVG + "path") if path.get("class") == "axis")
    line = next(path.get("d") for path in root.iter(SVG + "path") if path.get("class") == "line")

    assert bars.count("M") == slices[0].strikes.size
    assert any(node.text == f"forward {slices[0].forward:,.0f}" for node in root.iter(SVG + "text"))
    points = np.array([[float(part) for part in pair.split()] for pair in _pairs(line)])
    assert points.min() >= 0
    assert points[:, 0].max() <= 640


def _pairs(path):
    numbers = path.removeprefix("M").split()
    return [f"{x} {y}" for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def test_total_variance_has_one_line_an_expiry_and_none_is_refused(slices):
    root = ET.fromstring(total_variance_chart(slices))

    assert sum(path.get("class") == "now" for path in root.iter(SVG + "path")) == len(slices)
    with pytest.raises(InputError):
        total_variance_chart(())
