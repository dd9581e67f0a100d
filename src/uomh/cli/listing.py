"""`uomh list`: what there is, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table

from uomh import registry
from uomh.cli.console import out, rows_table, sentences
from uomh.errors import unknown

KINDS = (*registry.KINDS, "datasets")


@sentences
def list_components(
    kind: Annotated[str, typer.Argument(help=" | ".join(KINDS))],
    settings: Annotated[
        bool, typer.Option("--settings", help="every setting of each, default and meaning")
    ] = False,
) -> None:
    """List what there is of a kind, by name; with --settings, what can be set."""
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    rows = dataset_rows() if kind == "datasets" else component_rows(kind)
    out.print(rows_table(("name", "what it is"), rows))
    if settings:
        show_settings(kind, [name for name, _ in rows])


def component_rows(kind: str) -> list[tuple[str, str]]:
    """Name and summary of every component of a kind."""
    return [(entry.name, entry.summary) for entry in registry.entries(kind).values()]


def dataset_rows() -> list[tuple[str, str]]:
    """What --dataset takes."""
    from uomh.data.names import SUMMARIES

    return list(SUMMARIES.items())


def show_settings(kind: str, names: list[str]) -> None:
    """Settings of components, a table each."""
    from uomh.settings import config_class, describe

    if kind == "datasets":
        from uomh.data import DataConfig

        out.print("\nsettings of data")
        out.print(settings_table(describe(DataConfig, {}, "data.")))
        return
    for name in names:
        if hasattr(registry.load(kind, name), "Config"):
            out.print(f"\nsettings of {name}")
            prefix = f"{kind.removesuffix('s')}."
            out.print(settings_table(describe(config_class(kind, name), {}, prefix)))


def settings_table(rows: Iterable[tuple[str, str, str, str]]) -> Table:
    """Settings as key, default, and meaning with type."""
    return rows_table(
        ("key", "default", "meaning"),
        [(key, default, f"{summary} ({kind})") for key, kind, default, summary in rows],
    )
