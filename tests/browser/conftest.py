"""A headless chromium, where one is installed, and the pages that it looks at."""

import os
import shutil
from pathlib import Path

import pytest

from tests.report import folders

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium is installed; `apt-get install chromium`, as .ci/run does")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Two verifications, one by two estimators, two runs and an experiment."""
    root = tmp_path_factory.mktemp("results")
    folders.verification(root / "v" / "more", names=("a", "b"), name="more")
    return folders.results(root)


@pytest.fixture(scope="session")
def report(results):
    from uomh.report.page import write_page

    return write_page([results], results / "report.html")


@pytest.fixture
def opened(browser, report):
    """Open the page; what it says to the console or asks of a network fails the test."""
    contexts, wrong = [], []

    def open_page(file=report, **settings):
        settings = {"viewport": {"width": 1280, "height": 900}, **settings}
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)  # a busy machine is no fault of the page
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message) or dialog.dismiss())
        page.on("request", lambda request: wrong.append(request.url) if outside(request) else None)
        page.goto(Path(file).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def outside(request):
    """Whether a request goes beyond the page itself, to a network or another file."""
    return not request.url.startswith(("data:", "blob:")) and not request.is_navigation_request()


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core, from npm; `.ci/run` installs it."""
    places = [ROOT / "node_modules", *map(Path, filter(None, [os.environ.get("NODE_PATH")]))]
    for place in places:
        file = place / "axe-core" / "axe.min.js"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return pytest.skip(
        "axe-core is not installed; `npm install --no-save axe-core`, as .ci/run does"
    )
