"""The page in a browser, as a person uses it."""

import csv
import itertools
import json

import pytest

from tests.report import folders

TRACES = "id => document.getElementById(id).data.map(t => [t.x, t.y, t.name])"


def drawn(page, chart):
    """What a chart shows, once it is drawn."""
    page.locator(f"#{chart}").scroll_into_view_if_needed()
    page.wait_for_selector(f"#{chart} .main-svg")
    return page.evaluate(TRACES, chart)


def roughness(values):
    steps = [b - a for a, b in itertools.pairwise(values)]
    return sum(abs(b - a) for a, b in itertools.pairwise(steps))


def scroll(page):
    """Go through the page until every chart is drawn."""
    page.evaluate(
        """async () => {
            for (const plot of document.querySelectorAll(".plot")) {
                plot.scrollIntoView({ behavior: "instant" });
                while (!plot.querySelector(".main-svg")) await new Promise(requestAnimationFrame);
            }
        }"""
    )


def choose(page, section, state):
    page.locator(f"#{section} input[value='{state}']").check()


def test_the_page_loads_without_a_word_to_the_console_or_a_request(opened):
    page = opened()
    scroll(page)
    assert page.title().endswith("uomh")
    assert page.locator("h1").count() == 1


def test_choosing_k_changes_the_plots_and_the_table(opened):
    page = opened()
    before = drawn(page, "set1-bands")
    rows = page.locator("#set1 table.groups tbody tr:visible")
    ks = {row.locator("td").nth(1).inner_text() for row in rows.all()}
    assert ks == {"5"}
    choose(page, "set1", "mle:3")
    assert page.evaluate(TRACES, "set1-bands") != before
    assert {row.locator("td").nth(1).inner_text() for row in rows.all()} == {"3"}


def test_choosing_an_estimator_changes_the_plots(opened):
    page = opened()
    before = drawn(page, "set1-boxes")
    choose(page, "set1", "twonn:2")
    assert page.evaluate(TRACES, "set1-boxes") != before
    title = "id => document.getElementById(id).layout.yaxis.title.text"
    assert "twonn" in page.evaluate(title, "set1-boxes")


def test_the_scale_is_shown_against_radius_or_k(opened):
    page = opened()
    before = drawn(page, "set1-scales")
    page.locator("#set1 input[data-control=axis][value=k]").check()
    after = page.evaluate(TRACES, "set1-scales")
    assert before != after
    assert after[0][0][0] == 2  # the least k


def test_a_table_is_sorted_by_a_click_or_a_key_and_says_so(opened):
    page = opened()
    table = page.locator("#set1 table.groups")
    head = table.locator("th", has_text="dimension")
    column = head.evaluate("h => h.cellIndex")

    def shown():
        cells = table.locator(f"tbody tr:visible > :nth-child({column + 1})")
        return [float(text) for text in cells.all_inner_texts()]

    head.locator("button").click()
    assert shown() == sorted(shown())
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").press("Enter")
    assert shown() == sorted(shown(), reverse=True)
    assert head.get_attribute("aria-sort") == "descending"


def test_a_table_is_saved_as_csv(opened, tmp_path):
    page = opened()
    with page.expect_download() as waiting:
        page.locator("#set1 .table .export").last.click()
    waiting.value.save_as(tmp_path / "table.csv")
    assert waiting.value.suggested_filename == "clouds.csv"
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 4 * 3  # three groups and the whole, at two k and by twonn
    groups = {"the whole set", "flat", "<b>&amp;</b>", folders.SCRIPT}
    assert {row["group"] for row in rows} == groups
    assert all(float(row["dimension"]) > 0 for row in rows)


def test_names_are_texts_in_the_page_and_in_charts(opened):
    page = opened()
    assert page.locator("#set1 th:visible", has_text=folders.SCRIPT).first.is_visible()
    drawn(page, "set1-bands")
    ticks = page.locator("#set1-bands .ytick").all_text_contents()
    assert "<script>alert(1)</s…" in ticks  # cut short, and a text
    assert "<b>&amp;</b>" in ticks
    assert page.evaluate("document.querySelectorAll('svg script, td script, th b').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_colours_of_the_system(opened, scheme):
    page = opened(color_scheme=scheme)
    drawn(page, "set1-boxes")
    paper = "getComputedStyle(document.body).backgroundColor"
    bright = "rgb(255, 255, 255)"
    assert (page.evaluate(paper) == bright) == (scheme == "light")
    ink = "document.getElementById('set1-boxes').layout.font.color"
    before = page.evaluate(ink)
    page.locator("#theme").select_option("dark" if scheme == "light" else "light")
    assert (page.evaluate(paper) == bright) == (scheme == "dark")
    assert page.evaluate(ink) != before


def test_a_phone_has_no_horizontal_scroll_and_shows_titles_whole(opened):
    page = opened(viewport={"width": 380, "height": 800})
    scroll(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    boxes = page.evaluate(
        "[...document.querySelectorAll('.xtitle')].map(t => t.getBoundingClientRect())"
        ".map(box => [box.left, box.right])"
    )
    assert boxes
    assert all(left >= 0 and right <= 380 for left, right in boxes)


def test_the_buttons_of_a_chart_send_nothing_and_leave_its_legend_free(opened):
    page = opened()
    drawn(page, "set1-bands")
    page.locator("#set1-bands").hover()
    buttons = page.locator("#set1-bands .modebar-btn")
    names = {button.get_attribute("data-title") for button in buttons.all()}
    assert names == {"Download plot as a PNG", "Zoom in", "Zoom out", "Reset axes"}
    bar = page.locator("#set1-bands .modebar").bounding_box()
    legend = page.locator("#set1-bands .legend").bounding_box()
    assert bar["y"] > legend["y"] + legend["height"]


def test_curves_are_smoothed_and_put_on_a_log_scale(opened):
    page = opened()
    before = drawn(page, "curves")
    assert {name for _, _, name in before} == {"one", "two"}
    figure = page.locator("[data-chart=curves]")
    figure.locator("[data-role=smooth]").fill("0.9")
    after = page.evaluate(TRACES, "curves")
    rough, smooth = (roughness(curves[0][1]) for curves in (before, after))
    assert smooth < rough / 2
    figure.locator("[data-role=log]").check()
    assert page.evaluate("document.getElementById('curves').layout.yaxis.type") == "log"
    figure.locator("[data-control=quantity]").select_option("train loss")
    assert page.evaluate(TRACES, "curves") != after


def test_a_command_is_copied_and_a_picture_enlarged(opened):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    page.locator("#run1 .copy").click()
    page.wait_for_function("document.querySelector('#run1 .copy').textContent == 'Copied'")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == "uomh train --model vae seed=0 --run-dir 'a b'"
    page.locator("#run1 .enlarge").first.press("Enter")
    assert page.locator("dialog img").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_printing_is_on_white_with_every_chart(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    page.wait_for_function(
        "[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))"
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf()[:5] == b"%PDF-"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_of_axe(opened, axe, scheme):
    page = opened(color_scheme=scheme)
    scroll(page)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, json.dumps(
        [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in serious], indent=1
    )


def test_a_hundred_groups_stay_readable(opened, tmp_path):
    folders.multiplied(folders.verification(tmp_path / "small"), 100).save(tmp_path / "large")
    from uomh.report.page import write_page

    page = opened(write_page([tmp_path / "large"], tmp_path / "report.html"))
    drawn(page, "set1-bands")
    boxes = page.evaluate(
        "[...document.querySelectorAll('#set1-bands .ytick')].map(t => t.getBoundingClientRect())"
        ".map(box => [box.top, box.height])"
    )
    assert len(boxes) == 100
    tops = sorted(top for top, _ in boxes)
    height = max(height for _, height in boxes)
    assert min(b - a for a, b in itertools.pairwise(tops)) >= 0.95 * height
