"""`uomh report`: one page of verifications, runs and experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uomh.cli.console import say, sentences
from uomh.cli.options import Quiet
from uomh.errors import UomhError


@sentences
def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="folders of verifications, runs, experiments, or of these"
        ),
    ],
    output: Annotated[Path, typer.Option("--out", metavar="FILE", help="the page")] = Path(
        "report.html"
    ),
    quiet: Quiet = False,
) -> None:
    """Make one page, a single file that opens without a network, of what other commands wrote."""
    from uomh.report.page import write_page

    if output.suffix not in (".html", ".htm"):
        raise UomhError(f"--out {output} should end in .html")
    if output.is_dir():
        raise UomhError(f"--out {str(output)!r} is a folder; name a file in it, as report.html")
    file = write_page(paths, output)
    say(f"{file} ({file.stat().st_size / 1e6:.1f} MB); open it in a browser", quiet)
