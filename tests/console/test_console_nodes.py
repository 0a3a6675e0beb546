"""Nodes and their components in the Health room: the list at every size, one node in full, and what a loop is for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from console_driver import console
from console_world import component_rows

from watchfloor.domain.component import WITHOUT


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((80, 24), ("STATE", "NODE", "SERVICES", "RUNS", "CPU", "LAG P99", "BEAT")),
        (
            (160, 50),
            (
                "STATE",
                "NODE",
                "SERVICES",
                "RUNS",
                "QUEUED",
                "CPU",
                "MEMORY",
                "LAG P99",
                "BEAT",
                "UP",
            ),
        ),
    ],
)
async def test_the_list_of_nodes_says_at_every_size_what_matters_most(
    size: tuple[int, int], shown: tuple[str, ...]
) -> None:
    async with console(size=size) as driver:
        await driver.press("tab", "tab")
        driver.sees(*shown, "● running floor-01 24 1", "✘ lost floor-02 —")


async def test_a_node_is_opened_with_its_figures_over_the_stretch_that_is_chosen() -> None:
    async with console(size=(160, 120)) as driver:
        await driver.press("tab", "tab", "enter")
        driver.sees(
            "Health › Nodes › floor-01", "floor-01.example, process 4712", "1 going on, 16 at most; 3 ready"
        )
        driver.sees("CHECKS PER SECOND · 1 h", "CPU OF ONE CORE · 1 h", "MEMORY · 1 h", "100 % of 1h")
        await driver.press("w", "w", "w", "w")
        driver.sees("CHECKS PER SECOND · 30 d", "100 % of 2d that are known")
        driver.sees("▲ restarting courier", "Without it, messages wait", "Other live nodes do this as well.")


async def test_a_node_that_is_lost_is_not_said_to_do_anything() -> None:
    async with console() as driver:
        await driver.press("tab", "tab", "j", "enter")
        driver.sees("✘ lost floor-02", "nothing: it is not live", "killed")


async def test_a_component_says_what_does_not_work_without_it() -> None:
    async with console(size=(160, 50)) as driver:
        await driver.press("tab", "tab", "tab")
        driver.sees("WITHOUT IT", "messages wait: nobody")
        await driver.press("j", "j", "j", "enter")
        driver.sees("Without it, messages wait", "LAST ERROR", "HTTP 401")


async def test_at_eighty_columns_a_stuck_component_still_says_what_it_is_for() -> None:
    async with console() as driver:
        rows = [
            replace(row, state="stuck") if row.component == "recorder" else row for row in component_rows()
        ]
        driver.world.components = rows
        await driver.press("tab", "tab", "tab")
        driver.sees("✘ stuck recorder", "checks go on, but")


def test_every_sentence_fits_the_form_it_is_put_into() -> None:
    assert all(words[0].islower() and not words.endswith(".") for words in WITHOUT.values())
