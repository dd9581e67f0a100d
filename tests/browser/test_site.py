"""The documentation as it is opened from a disk."""

import shutil
import subprocess
import sys

import pytest

from tests.browser.conftest import ROOT

LOCAL = ("file:", "data:", "blob:")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of two pages, one of them with formulas, built as all pages are."""
    folder = tmp_path_factory.mktemp("site")
    docs = folder / "docs"
    shutil.copytree(ROOT / "docs" / "javascripts", docs / "javascripts")
    (docs / "models").mkdir()
    for name in ("likelihoods.md", "glossary.md"):
        shutil.copy(ROOT / "docs" / name, docs / name)
    (docs / "index.md").write_text("# Home\n\n[Likelihoods](likelihoods.md)\n")
    nav = "[index.md, likelihoods.md, glossary.md]"
    settings = (
        f"INHERIT: {ROOT / 'mkdocs.yml'}\nhooks: []\nplugins: [search, offline]\nnav: {nav}\n"
    )
    (folder / "mkdocs.yml").write_text(settings)
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "site"


@pytest.fixture
def offline(browser):
    """A page without a network, which fails the test where it asks for one or has an error."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.set_default_timeout(120_000)
    wrong = []
    page.on("request", lambda r: None if r.url.startswith(LOCAL) else wrong.append(r.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert wrong == []


def test_formulas_are_drawn_without_a_network(site, offline):
    offline.goto((site / "likelihoods.html").as_uri())
    formulas = offline.locator(".arithmatex").count()
    offline.wait_for_function(
        f"document.querySelectorAll('.arithmatex mjx-container svg').length >= {formulas}"
    )
    assert formulas > 3
    assert not offline.locator("mjx-merror").count()


def test_a_site_on_a_disk_is_searched_and_its_links_are_followed(site, offline):
    offline.goto((site / "index.html").as_uri())
    offline.wait_for_function("document.body.hasAttribute('dir') && window.__search")
    offline.keyboard.press("/")
    offline.keyboard.type("Jensen")
    found = offline.locator(".md-search-result__link", has_text="Likelihoods").first
    found.wait_for()
    offline.keyboard.press("Escape")
    offline.locator("article a", has_text="Likelihoods").click()
    offline.wait_for_selector(".arithmatex mjx-container svg")
    assert offline.url.split("#")[0] == (site / "likelihoods.html").as_uri()
