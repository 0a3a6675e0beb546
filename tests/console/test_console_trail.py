"""Where one has been, against a browser that keeps two stacks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.console.trail import LIMIT, Place, Trail

PLACES = [Place("health"), Place("alerts"), Place("health", "service", 7), Place("alerts", "alert", 42)]


@settings(settings.get_profile("thorough"))
@given(st.lists(st.one_of(st.sampled_from(PLACES), st.sampled_from([-1, 1])), max_size=40))
def test_it_goes_back_and_forward_like_a_browser(steps: list[Place | int]) -> None:
    trail, behind, ahead = Trail(), list[Place](), list[Place]()
    present: Place | None = None
    before: Place | None = None
    for step in steps:
        if isinstance(step, Place):
            trail.visit(step)
            if step != present:
                behind, ahead = behind + [present] * (present is not None), []
                before, present = present, step
        else:
            source, target = (behind, ahead) if step < 0 else (ahead, behind)
            found = trail.go(step)
            assert found == (source[-1] if source else None)
            if source and present is not None:
                target.append(present)
                before, present = present, source.pop()
        assert trail.present == present
        assert trail.back == (behind[-1] if behind else None)
        assert trail.forward == (ahead[-1] if ahead else None)
        assert trail.previous == before


def test_it_forgets_what_was_long_ago():
    trail = Trail()
    for number in range(LIMIT + 20):
        trail.visit(Place("health", "service", number))
    steps = 0
    while trail.go(-1):
        steps += 1
    assert steps == LIMIT - 1
