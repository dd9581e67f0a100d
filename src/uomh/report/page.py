"""One self-contained HTML page of verifications, runs and experiments; made without torch.

Everything stands in the file: styles, scripts, plotly.js once, pictures as data. Its content
security policy forbids the browser to fetch anything.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from uomh.files import replacing, writable
from uomh.report.boxes import all_sets
from uomh.report.charts import number
from uomh.report.pictures import Album
from uomh.report.sections import RunsSection, VerificationSection
from uomh.report.sources import Sources, found
from uomh.report.trials import ExperimentSection
from uomh.text import four_digits, shown


def write_page(paths: Sequence[str | os.PathLike[str]], target: str | os.PathLike[str]) -> Path:
    """Write the page of what folders hold, whole or not at all.

    Args:
        paths: folders of verifications, runs and experiments, or folders of such folders.
        target: the HTML file.

    Returns:
        Its path.

    Raises:
        UomhError: a path holds nothing of the kind, or nothing can be read; the target cannot be
            written.
    """
    file = Path(target)
    sources = found([Path(path) for path in paths])
    writable(file.parent)
    text = rendered(sources)
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return file


def page(paths: Sequence[Path]) -> str:
    """The page of what folders hold, as text; see `write_page`."""
    return rendered(found(paths))


def rendered(sources: Sources) -> str:
    """The page of what was found."""
    album = Album()
    environment = Environment(
        loader=PackageLoader("uomh.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"json": as_json, "line": shown, "number": number, "digits": four_digits}
    sections = [
        VerificationSection.of(f"set{i}", verification, album)
        for i, verification in enumerate(sources.verifications, start=1)
    ]
    several = [each.report for s in sources.verifications for each in s.instruments]
    return environment.get_template("page.html").render(
        title=title_of(sources),
        version=importlib.metadata.version("uomh"),
        verifications=sections,
        all_sets=all_sets(several) if len(sections) > 1 else None,
        runs=RunsSection.of(sources.runs, album) if sources.runs else None,
        experiments=[ExperimentSection.of(experiment, album) for experiment in sources.experiments],
        problems=sources.problems,
        style=_resource("page.css"),
        script=_resource("page.js"),
        plotly=_plotly(),
    )


def title_of(sources: Sources) -> str:
    """The title of a page: of one thing its name, of several their numbers."""
    parts = []
    if sources.verifications:
        names = list(dict.fromkeys(shown(v.report.dataset) for v in sources.verifications))
        parts.append(", ".join(names[:4]) + ", ..." * (len(names) > 4))
    counts = {"run": len(sources.runs), "experiment": len(sources.experiments)}
    parts += [f"{n} {what}{'s' * (n > 1)}" for what, n in counts.items() if n]
    return " · ".join(parts)


def as_json(value: Any) -> str:
    """A value as JSON that may stand in a script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _resource(name: str) -> str:
    return files("uomh.report").joinpath("templates", name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("</script", "<\\/script")
