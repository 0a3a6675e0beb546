"""Services in groups: heads that fold, a score with its formula, filters that know every field; nodes beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from console_driver import console
from console_world import NOW, health_rows

from watchfloor.console.format import Moment
from watchfloor.console.line import plain
from watchfloor.console.screens.service import ServiceRoom
from watchfloor.console.views.group import group_lines, tallies
from watchfloor.domain.grouping import By, groups


async def test_groups_have_heads_with_a_score_and_the_most_urgent_stands_first() -> None:
    async with console() as driver:
        await driver.press("V")
        driver.sees("by group", "▾ 62 of 100 shop 4 ✘1 ▲1 ●2", "▾ 66 of 100 mail 3 ✘1 ●2")
        assert "shop checkout" in driver.cursor  # the cursor stays on its service
        lines = driver.lines()
        assert next(n for n, line in enumerate(lines) if "62 of 100" in line) < next(
            n for n, line in enumerate(lines) if "66 of 100" in line
        )


async def test_a_group_folds_and_unfolds_and_all_of_them() -> None:
    async with console() as driver:
        await driver.press("V", "k")
        driver.sees("enter fold")
        await driver.press("enter")
        driver.sees("▸ 62 of 100 shop 4", "enter unfold")
        driver.sees_not("shop catalogue")
        await driver.press("Z")
        driver.sees("▸ 66 of 100 mail 3", "▸ 100 of 100 machines 4")
        driver.sees_not("mail relay", "imap")
        await driver.press("Z", "j", "j", "enter")
        assert isinstance(driver.app.screen, ServiceRoom)


def test_no_number_of_a_group_is_cut_where_there_is_no_room_for_all_of_them() -> None:
    rows = [replace(row, group="all") for row in health_rows()] * 100
    (group,) = groups(rows, By.GROUP)
    whole = plain(tallies(group, 99)).split()
    for cells in range(1, 40):
        *shown, last = plain(tallies(group, cells)).split()
        assert [*shown, last] == whole or (last == "…" and shown == whole[: len(shown)])
        assert len(" ".join([*shown, last])) <= cells


async def test_where_the_cursor_is_among_groups_is_not_counted_with_their_heads() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press("V", "G", "/")
        await driver.type("wiki")
        await driver.press("enter")
        driver.sees("1 of 24 services")
        driver.sees_not("/ 1 of 24")


async def test_the_formula_of_a_group_is_shown_with_its_numbers() -> None:
    async with console() as driver:
        await driver.press("V", "k", "i")
        driver.sees(
            "Health › shop",
            "health score 62 of 100",
            "100 × (1 - (1 failing × 1 + 1 degraded × 0.5) / 4) = 62",
            "costs: failing 1, out of reach 1, flapping 0.5, degraded 0.5, ok 0. Not",
            "✘ failing shop checkout",
        )


async def test_wide_screens_show_the_score_beside_the_list() -> None:
    async with console(size=(160, 50)) as driver:
        await driver.press("V", "k")
        driver.sees("i score", "health score 62 of 100", "HOW IT COMES ABOUT")


@pytest.mark.parametrize(
    ("times", "heads"),
    [
        (2, ["by tag", "public 8", "no tag 16"]),
        (3, ["by state", "failing 2", "degraded 2", "unknown 1"]),
        (4, ["by kind", "http 13", "tcp 5"]),
        (5, ["by environment", "production 19", "staging 5"]),
    ],
)
async def test_services_are_grouped_by_whatever_they_have(times: int, heads: list[str]) -> None:
    async with console(size=(80, 50)) as driver:
        await driver.press(*"V" * times, "Z")
        driver.sees(*heads)
        await driver.press(*"V" * (6 - times))
        driver.sees_not("of 100")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("environment:staging", 5),
        ("group:shop state:failing", 1),
        ("tag:public !state:ok", 3),
        ("kind:tcp", 5),
        ("owner:console", 2),
        ("is:planned", 1),
    ],
)
async def test_filters_know_every_field(text: str, left: int) -> None:
    async with console() as driver:
        driver.world.services[0] = replace(driver.world.services[0], planned=True)
        await driver.changed("health")
        await driver.press("/", *text)
        driver.sees(f"{left} of 24")


async def test_a_filter_leaves_only_the_groups_that_have_something_left() -> None:
    async with console() as driver:
        await driver.press("V", "/", *"mail", "enter")
        driver.sees("▾ 66 of 100 mail 3", "3 of 24 services")
        driver.sees_not("shop")


async def test_how_it_is_grouped_is_kept() -> None:
    async with console() as driver:
        await driver.press("V", "k", "enter")
        kept = driver.app.screen.keep()
        assert (kept["by"], kept["folded"]) == ("group", ["shop"])
        other = type(driver.app.screen)()
        other.restore(kept)
        assert other.keep()["by"] == "group"


async def test_nodes_with_their_share_and_components_stand_beside_the_services() -> None:
    async with console() as driver:
        await driver.press("tab", "tab")
        driver.sees("● running floor-01 24 1 3", "2.31 ms", "✘ lost floor-02", "1 / 2 nodes")
        await driver.press("enter")
        driver.sees("Health › Nodes › floor-01")
        await driver.press("escape", "tab")
        driver.sees("▲ restarting courier floor-01")
        await driver.press("tab")
        driver.sees("shop checkout")


async def test_only_services_travel_into_the_past() -> None:
    async with console() as driver:
        driver.world.history = [(driver.world.now.replace(hour=1), driver.world)]
        await driver.press("tab", "T")
        await driver.type("3:00")
        await driver.press("enter")
        driver.sees("shop checkout")
        await driver.press("tab")
        driver.sees("only services show the past; return to the present first")


@pytest.mark.parametrize("size", [(40, 10), (60, 20), (160, 50)])
async def test_groups_fit_every_screen(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        await driver.press("V", "Z")
        driver.sees("62 of 100")
        await driver.press("Z", "G", "tab", "tab", "tab")
        assert all(len(line) <= size[0] for line in driver.lines())


def test_a_group_in_which_nothing_counts_has_no_score() -> None:
    (group,) = groups([replace(health_rows()[0], paused=True)], By.KIND)
    text = "\n".join(plain(line) for line in group_lines(group, Moment(NOW), 80))
    assert "\nno score\n" in text
    assert "health score no" not in text
