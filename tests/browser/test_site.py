"""The documentation as it is opened from a disk."""

import shutil
import subprocess
import sys

import pytest

from tests.browser.conftest import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of one page with formulas, built as all pages are."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs" / "javascripts", folder / "docs" / "javascripts")
    shutil.copy(ROOT / "docs" / "likelihoods.md", folder / "docs" / "index.md")
    settings = f"INHERIT: {ROOT / 'mkdocs.yml'}\nhooks: []\nplugins: []\nnav: [index.md]\n"
    (folder / "mkdocs.yml").write_text(settings)
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "site" / "index.html"


def test_formulas_are_drawn_without_a_network(site, browser):
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.as_uri())
    page.wait_for_selector(".arithmatex mjx-container svg", timeout=120_000)
    formulas = page.locator(".arithmatex").count()
    page.wait_for_function(
        f"document.querySelectorAll('.arithmatex mjx-container svg').length >= {formulas}",
        timeout=120_000,
    )
    assert formulas > 3
    assert not page.locator("mjx-merror").count()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
