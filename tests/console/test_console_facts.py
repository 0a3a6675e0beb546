"""What a check learned, as sections of names and values."""

from __future__ import annotations

import pytest
from console_world import NOW

from watchfloor.console.format import Moment
from watchfloor.console.line import plain, width
from watchfloor.console.views.facts import fact_lines

PRINT = "73e75dde27cbd87b7d02dbb2070cb05f37c32d10a6036c5d9e875ab71a2b3c59"


@pytest.mark.parametrize("cells", [40, 78, 158])
def test_nothing_of_a_long_value_is_lost_beside_a_long_name(cells: int) -> None:
    lines = fact_lines({"subject": "CN=shop", "fingerprint_sha256": PRINT, "x" * 60: "y"}, Moment(NOW), cells)
    assert all(width(line) <= cells for line in lines)
    rest = "".join(plain(line)[26:].strip() for line in lines[3:-1])
    assert rest == PRINT
