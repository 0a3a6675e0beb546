"""Themes: found, judged with clear mistakes, readable on every ground, and safe for every eye."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from colour_vision import DEFICIENCIES, contrast, distance, linear, seen_with
from console_driver import Driver, console
from rich.cells import cell_len
from rich.style import Style

from watchfloor.config.problems import ConfigError
from watchfloor.console import glyphs
from watchfloor.console.ink import DERIVED, Inks, known_roles
from watchfloor.console.saves import LOOK_S
from watchfloor.console.themes import (
    DEFAULT,
    GROUNDS,
    ROLES,
    TEXTS,
    Theme,
    Themes,
    read_theme,
    theme_directories,
)

SHIPPED = Path(__file__).resolve().parents[2] / "themes"
NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
COLOURED = [name for name in NAMES if not read_theme(SHIPPED / f"{name}.yaml").ansi]
STATES = ("ok", "degraded", "failing", "unknown")
SEVERITIES = ("info", "warning", "critical", "emergency")


def theme(name: str) -> Theme:
    return read_theme(SHIPPED / f"{name}.yaml")


def test_the_shipped_themes_are_found_and_the_default_is_first() -> None:
    names = Themes(theme_directories({"XDG_CONFIG_HOME": "/nowhere"})).names()
    assert names[0] == DEFAULT
    assert sorted(names) == NAMES
    assert {"night", "day", "contrast", "clear", "terminal", "nord", "gruvbox"} <= set(names)


@pytest.mark.parametrize("name", COLOURED)
def test_every_text_is_readable_on_every_ground(name: str) -> None:
    colours = theme(name).colours
    least = 7.0 if name == "contrast" else 4.5
    poor = [
        (text, ground, round(found, 2))
        for text in TEXTS
        for ground in GROUNDS
        if (found := contrast(colours[text], colours[ground])) < least
    ]
    assert poor == []


@pytest.mark.parametrize("name", COLOURED)
def test_words_on_solid_blocks_are_readable(name: str) -> None:
    colours = theme(name).colours
    solid = {derived.role for derived in DERIVED.values() if derived.solid}
    assert all(contrast(colours["background"], colours[role]) >= 4.5 for role in solid)


@pytest.mark.parametrize("name", COLOURED)
def test_states_differ_for_most_eyes(name: str) -> None:
    colours = theme(name).colours
    assert all(distance(linear(colours[a]), linear(colours[b])) > 20 for a, b in combinations(STATES, 2))


@pytest.mark.parametrize("eyes", [*DEFICIENCIES, "greyscale"])
def test_the_colour_blind_safe_theme_tells_all_states_apart(eyes: str) -> None:
    colours = theme("clear").colours
    least = 9 if eyes == "greyscale" else 14
    close = [
        (a, b, round(found))
        for scale in (STATES, SEVERITIES)
        for a, b in combinations(scale, 2)
        if (found := distance(seen_with(eyes, linear(colours[a])), seen_with(eyes, linear(colours[b]))))
        < least
    ]
    assert close == []


def test_every_state_has_a_glyph_of_one_cell_and_a_word_of_its_own() -> None:
    levels = {number: glyphs.level(number) for number in (1, 5, 9, 13, 17, 21)}
    for marks in (glyphs.STATUS, glyphs.SEVERITY, glyphs.ALERT, glyphs.RUN, glyphs.LOOP, levels):
        shown = list(marks.values())  # type: ignore[attr-defined]
        if marks not in (glyphs.LOOP, glyphs.RUN, levels):  # there the word alone tells some apart
            assert len({mark.glyph for mark in shown}) == len(shown)
        assert len({mark.word for mark in shown}) == len(set(shown))
        assert all(cell_len(mark.glyph) == 1 and not mark.glyph.isalnum() for mark in shown)
        assert {mark.role for mark in shown} <= known_roles()


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def whole(**changes: str) -> str:
    colours = dict.fromkeys(ROLES, '"#808080"') | changes
    return "label: Mine\ncolours:\n" + "".join(f"  {role}: {value}\n" for role, value in colours.items())


def mistakes_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_theme(path)
    return [str(problem) for problem in caught.value.problems]


def test_a_user_theme_is_read_and_replaces_a_shipped_one_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "watchfloor" / "themes"
    folder.mkdir(parents=True)
    (folder / "night.yaml").write_text(whole(text='"#ffffff"'))
    themes = Themes(theme_directories({"XDG_CONFIG_HOME": str(tmp_path)}))
    assert themes.get("night").label == "Mine"
    assert themes.get("day").label == "Day"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (whole(failing='"#12"'), "colours.failing: not a colour; found"),
        (whole(failing="red"), "allowed: six hexadecimal digits"),
        ("ansi: true\n" + whole(), "allowed: default, black, red"),
        (whole() + "  faling: '#808080'\n", "unknown key. Did you mean"),
        (whole().replace("label", "lable"), 'Did you mean "label"?'),
        ("dark: maybe\n" + whole(), "dark: not a yes or no"),
        ("label: only\n", "colours"),
        ("colours: pink\n", "colours are missing"),
        ("- a list\n", "a theme is a mapping"),
        ("colours: {text: '#808080'}\n", "colours.background: this is missing"),
        ("", "the file is empty"),
        ("a:\n\tb: tab\n", "mine.yaml:2"),
    ],
)
def test_mistakes_name_place_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    found = mistakes_of(write(tmp_path, text))
    assert any(said in mistake for mistake in found), found
    assert all("mine.yaml" in mistake for mistake in found)


def test_a_missing_theme_names_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="there is no theme"):
        Themes([SHIPPED]).get("vantablack")


@pytest.mark.parametrize("name", NAMES)
def test_there_is_ink_for_every_role_on_every_ground(name: str) -> None:
    inks = Inks(theme(name))
    for role in known_roles():
        for ground in GROUNDS:
            assert inks.style(role, ground) is not None


@pytest.mark.parametrize("name", NAMES)
async def test_a_console_starts_in_every_theme_and_changes_to_every_other(name: str) -> None:
    async with console(theme=name) as driver:
        for other in NAMES:
            driver.app.use_theme(other)
            await driver.idle()
            driver.sees("shop checkout")


def looks(driver: Driver) -> list[list[object]]:
    return [
        [segment for strip in line for segment in strip if segment.text.strip()] for line in driver.strips()
    ]


async def test_rooms_seen_before_the_theme_changed_look_like_those_of_a_console_that_began_with_it() -> None:
    seen = ("1", "2", "3", "enter", "a", "escape", "4", "5")
    async with console(theme="night") as driver:
        await driver.press(*seen)
        driver.app.use_theme("day")
        changed = [looks(await driver.press(key)) for key in "15432"]
    async with console(theme="day") as driver:
        await driver.press(*seen)
        begun = [looks(await driver.press(key)) for key in "15432"]
    assert [line[2:-1] for line in changed] == [
        line[2:-1] for line in begun
    ]  # without the notice of the change


async def test_a_broken_theme_is_said_and_not_used(tmp_path: Path) -> None:
    write(tmp_path, whole(text="blurple"))
    async with console(themes=Themes([SHIPPED, tmp_path])) as driver:
        driver.app.choose_theme("mine")
        await driver.idle()
        driver.sees("mine.yaml:", "colours.text")
        assert driver.app.theme_in_use.name == DEFAULT
        await driver.press("5", "shift+tab", "shift+tab")
        driver.sees("cannot be used")


async def test_a_console_with_an_unknown_theme_starts_in_the_default_and_says_so() -> None:
    async with console(theme="vantablack") as driver:
        assert driver.app.theme_in_use.name == DEFAULT
        driver.sees("there is no theme")


def owned_theme(folder: Path, **changes: str) -> Themes:
    write(folder, whole(**{"background": '"#000000"', **changes}))
    return Themes([SHIPPED, folder])


async def test_a_theme_in_use_is_followed_as_it_is_saved(tmp_path: Path) -> None:
    async with console(theme="mine", themes=owned_theme(tmp_path, text='"#ffffff"')) as driver:
        assert driver.app.inks.style("text").color == Style(color="#ffffff").color
        write(tmp_path, whole(background='"#112233"', text='"#ffffff"'))
        await driver.until(lambda: driver.app.theme_in_use.colours["background"] == "#112233")
        await driver.idle()
        driver.sees("✓ theme Mine, as saved just now")
        grounds = {
            segment.style.bgcolor.name
            for line in driver.strips()
            for strip in line
            for segment in strip
            if segment.style is not None and segment.style.bgcolor is not None
        }
        assert "#112233" in grounds
        assert "#000000" not in grounds


async def test_a_bad_save_keeps_the_colours_and_says_where_it_is_wrong(tmp_path: Path) -> None:
    async with console(theme="mine", themes=owned_theme(tmp_path, text='"#ffffff"')) as driver:
        write(tmp_path, whole(text='"#fff"'))
        await driver.until(lambda: driver.app.notice is not None)
        await driver.idle()
        driver.sees("mine.yaml:", "colours.text")
        assert driver.app.theme_in_use.colours["text"] == "#ffffff"
        write(tmp_path, whole(text='"#eeeeee"'))
        await driver.until(lambda: driver.app.theme_in_use.colours["text"] == "#eeeeee")


async def test_a_theme_file_that_appears_can_be_chosen_at_once(tmp_path: Path) -> None:
    async with console(themes=Themes([SHIPPED, tmp_path])) as driver:
        owned_theme(tmp_path)
        driver.app.choose_theme("mine")
        await driver.idle()
        assert driver.app.theme_in_use.label == "Mine"


def test_what_is_saved_is_looked_at_more_than_once_a_second() -> None:
    assert LOOK_S < 1
