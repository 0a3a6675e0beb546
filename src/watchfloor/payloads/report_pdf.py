"""Reports as PDF: A4, one column, charts drawn as vectors, tables that go on over pages under their headings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TableCellFillMode, VAlign, XPos, YPos
from fpdf.fonts import FontFace

from watchfloor.payloads.report_data import BARS, Report, Table, heading, shown

INK, DIM, LINE, FILL, ACCENT = (29, 39, 51), (102, 114, 127), (221, 227, 234), (245, 247, 250), (37, 99, 168)
MARGIN = 18.0
BAR = 6.2
COLUMNS = 12
LETTER, LINES = 1.7, 10
"""The width of a letter in millimetres, and how many lines one cell may take: a row must fit on a page."""

MORE = Path("/usr/share/fonts/truetype/dejavu")
"""Where systems keep a font with nearly all letters; what the report's own lacks is taken from there."""


class Page(FPDF):
    """Pages with a foot."""

    def __init__(self, report: Report) -> None:
        super().__init__(format="A4")
        self.report = report
        self.letters: set[int] = set()
        self.family = _fonts(self)
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, MARGIN + 4)
        self.set_title(report.title)
        self.set_creator("Watchfloor")
        self.set_creation_date(report.made_at)
        self.alias_nb_pages()

    def write_in(self, size: float, colour: tuple[int, int, int], style: str = "") -> None:
        """What comes next is of this size and colour."""
        self.set_font(self.family, style, size)
        self.set_text_color(*colour)

    def footer(self) -> None:
        """The title and the number of the page."""
        self.set_y(-MARGIN + 2)
        self.write_in(8, DIM)
        self.cell(0, 5, f"{self.report.title}  ·  {self.report.period}")
        self.set_x(MARGIN)
        self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    def line_of(self, height: float, text: str) -> None:
        """A line of text, and down to the next."""
        self.multi_cell(0, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")


def _fonts(pdf: Page) -> str:
    """The family to write in: Roboto where its package is there, with DejaVu for the letters that it lacks."""
    found = importlib.util.find_spec("font_roboto")
    folder = Path(found.origin).parent / "files" if found and found.origin else None
    families = []
    if folder is not None:
        families.append(("Roboto", folder / "Roboto-Regular.ttf", folder / "Roboto-Medium.ttf"))
    families.append(("DejaVu", MORE / "DejaVuSans.ttf", MORE / "DejaVuSans-Bold.ttf"))
    usable = [each for each in families if each[1].is_file() and each[2].is_file()]
    for name, regular, bold in usable:
        pdf.add_font(name, "", regular)
        pdf.add_font(name, "B", bold)
        with TTFont(regular, lazy=True) as font:
            pdf.letters.update(font.getBestCmap())
    if len(usable) > 1:
        pdf.set_fallback_fonts([usable[1][0]], exact_match=False)
    return usable[0][0] if usable else "Helvetica"


def as_pdf(report: Report) -> bytes:
    """The document."""
    pdf = Page(report)
    pdf.add_page()
    pdf.write_in(20, INK, "B")
    pdf.line_of(10, _safe(pdf, report.title))
    pdf.write_in(10.5, DIM)
    pdf.line_of(6, _safe(pdf, report.period))
    pdf.set_draw_color(*ACCENT)
    pdf.set_line_width(0.9)
    pdf.line(MARGIN, pdf.y + 3, pdf.w - MARGIN, pdf.y + 3)
    pdf.ln(8)
    for table in report.tables:
        _section(pdf, table)
    return bytes(pdf.output())


def _section(pdf: Page, table: Table) -> None:
    bars = min(len(table.points), BARS) * BAR if table.chart == "bar" else 55 if table.chart else 0
    if pdf.will_page_break(min(34 + bars, 220)):
        pdf.add_page()
    pdf.write_in(13.5, INK, "B")
    pdf.line_of(8, _safe(pdf, table.title))
    pdf.ln(1)
    if not table.rows:
        pdf.write_in(9.5, DIM)
        pdf.line_of(6, "Nothing in this time.")
        pdf.ln(5)
        return
    if table.chart == "bar" and table.points:
        _bars(pdf, table)
    elif table.chart and table.points:
        _line(pdf, table)
    _rows(pdf, table)
    pdf.write_in(8.5, DIM)
    if table.cut:
        pdf.line_of(6, f"Only the first {len(table.rows):,} rows.")
    if len(table.columns) > COLUMNS:
        pdf.line_of(6, f"Only the first {COLUMNS} of {len(table.columns)} columns fit on a page.")
    pdf.ln(7)


def _rows(pdf: Page, table: Table) -> None:
    pdf.write_in(9, INK)
    zone, columns = pdf.report.zone, list(table.columns)[:COLUMNS]
    cells = [
        [_safe(pdf, shown(value, name, zone)) for value, name in zip(row, columns, strict=False)]
        for row in table.rows
    ]
    names = [_safe(pdf, heading(name)) for name in columns]
    widths = _widths(pdf, [names, *cells])
    most = [max(3, round(width / LETTER)) * LINES for width in widths]
    aligned = tuple("RIGHT" if table.is_number(at) else "LEFT" for at in range(len(names)))
    pdf.set_draw_color(*LINE)
    pdf.set_fill_color(255)  # of every other row
    pdf.set_line_width(0.2)
    with pdf.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        cell_fill_color=FILL,
        cell_fill_mode=TableCellFillMode.ROWS,
        col_widths=widths,
        text_align=aligned,
        headings_style=FontFace(emphasis="BOLD", color=DIM, fill_color=(255, 255, 255), size_pt=8.5),
        line_height=5.2,
        padding=(0.8, 1.5),
        width=min(sum(widths), pdf.epw),
        align="LEFT",
        v_align=VAlign.T,
    ) as made:
        for row in (names, *cells):
            line = made.row()
            for text, longest in zip(row, most, strict=True):
                line.cell(text if len(text) <= longest else f"{text[:longest]}...")


def _widths(pdf: Page, rows: list[list[str]]) -> tuple[float, ...]:
    """Each column as wide as its texts where there is room; the widest give way first."""
    room = pdf.w - 2 * MARGIN
    wanted = [
        max(min(pdf.get_string_width(row[at]), room) for row in rows[:300]) * 1.06 + 4.5
        for at in range(len(rows[0]))
    ]
    if sum(wanted) <= room:
        spare = (room - sum(wanted)) / len(wanted)
        return tuple(width + spare for width in wanted)
    low, high = 0.0, max(wanted)
    for _ in range(40):
        middle = (low + high) / 2
        if sum(min(width, middle) for width in wanted) > room:
            high = middle
        else:
            low = middle
    return tuple(max(6.0, min(width, low)) for width in wanted)


def _bars(pdf: Page, table: Table) -> None:
    points = table.points[:BARS]
    column, zone = table.columns[table.value], pdf.report.zone
    pdf.write_in(8.5, INK)
    labels = [_safe(pdf, label) for label, _ in points]
    left = min(60.0, max(pdf.get_string_width(label) for label in labels) + 3)
    most = max(abs(value) for _, value in points) or 1.0
    told = [_safe(pdf, shown(value, column, zone)) for _, value in points]
    full = pdf.w - 2 * MARGIN - left - max(pdf.get_string_width(text) for text in told) - 6
    for (_, value), label, text in zip(points, labels, told, strict=True):
        top = pdf.y
        pdf.set_xy(MARGIN, top)
        while pdf.get_string_width(label) > left - 2 and len(label) > 2:
            label = label[:-2] + "…" if pdf.letters else label[:-1]
        pdf.cell(left, BAR, label)
        pdf.set_fill_color(*ACCENT)
        width = abs(value) / most * full
        if width > 0:
            pdf.rect(MARGIN + left, top + 1.1, max(width, 0.3), BAR - 2.2, "F")
        pdf.set_xy(MARGIN + left + width + 1.5, top)
        pdf.cell(30, BAR, text)
        pdf.set_xy(MARGIN, top + BAR)
    pdf.ln(4)


def _line(pdf: Page, table: Table) -> None:
    points = table.points
    column, zone = table.columns[table.value], pdf.report.zone
    values = [value for _, value in points]
    low, high = min(values), max(values)
    low = 0.0 if 0 <= low < high / 2 else low
    span = (high - low) or 1.0
    left, top, tall = MARGIN + 24, pdf.y + 3, 40.0
    wide = pdf.w - MARGIN - left
    pdf.write_in(8, DIM)
    pdf.set_draw_color(*LINE)
    pdf.set_line_width(0.2)
    for share in (0.0, 0.5, 1.0):
        y = top + tall * (1 - share)
        pdf.line(left, y, left + wide, y)
        pdf.set_xy(MARGIN, y - 2.5)
        pdf.cell(22, 5, _safe(pdf, shown(round(low + span * share, 3), column, zone)), align="R")
    pdf.set_draw_color(*ACCENT)
    pdf.set_line_width(0.6)
    step = wide / max(1, len(values) - 1)
    places = [(left + at * step, top + tall * (1 - (value - low) / span)) for at, value in enumerate(values)]
    pdf.polyline(places if len(places) > 1 else [places[0], (left + wide, places[0][1])])
    pdf.set_xy(left, top + tall + 1)
    pdf.cell(wide / 2, 5, _safe(pdf, points[0][0]))
    pdf.cell(wide / 2, 5, _safe(pdf, points[-1][0]), align="R")
    pdf.set_xy(MARGIN, top + tall + 9)


def _safe(pdf: Page, text: str) -> str:
    """What the fonts can show; a ``?`` stands for a letter that none of them has."""
    if not pdf.letters:
        return text.encode("latin-1", "replace").decode("latin-1")
    return "".join(letter if ord(letter) in pdf.letters else "?" for letter in text)
