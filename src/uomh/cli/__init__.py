"""The command line, `uomh COMMAND`.

A command reads its options, calls the Python interface and shows what that returns.

Nothing here imports torch until a command needs it, so that help and lists answer at once.
"""

from __future__ import annotations

import typer

from uomh.cli.classify import classify
from uomh.cli.console import prepare_process, sentences
from uomh.cli.listing import list_components
from uomh.cli.report import report
from uomh.cli.reproduce import reproduce
from uomh.cli.runs import evaluate, sample
from uomh.cli.train import TrainCommand, train
from uomh.cli.verify import verify

app = typer.Typer(
    name="uomh",
    help="Do your data lie on a union of manifolds of different dimension, and which generative "
    "models respect it?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("verify")(verify)
app.command("train", cls=TrainCommand)(train)
app.command("evaluate")(evaluate)
app.command("sample")(sample)
app.command("classify")(classify)
app.command("report")(report)
app.command("reproduce")(reproduce)
app.command("list")(list_components)


def main() -> None:
    """Run the command line."""
    prepare_process()
    sentences(app)()
