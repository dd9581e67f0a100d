"""`uomh list`: the models, metrics, data sets and other components that there are, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table

from uomh import registry
from uomh.cli.console import out, rows_table, sentences
from uomh.errors import unknown

KINDS = registry.KINDS


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
    columns: tuple[str, ...] = ("name", "what it is")
    if kind == "datasets":
        from uomh.data.names import summaries

        rows: list[tuple[str, ...]] = list(summaries().items())
    else:
        found = registry.entries(kind).values()
        rows = [(entry.name, entry.summary) for entry in found]
        if kind == "models":
            columns += ("offers", "paper")
            rows = [(e.name, e.summary, offers(e), e.facts.get("paper", "")) for e in found]
    out.print(rows_table(columns, rows))
    if settings:
        show_settings(kind)


def offers(entry: registry.Entry) -> str:
    """What a model can be asked for, read from the source of its class without importing it."""
    likelihood = entry.facts.get("likelihood")
    names = {
        "samples": entry.facts.get("can_sample", True),
        f"likelihood ({likelihood})": likelihood,
        "codes": "encode" in entry.facts,
    }
    return ", ".join(name for name, there in names.items() if there)


def show_settings(kind: str) -> None:
    """Settings of components, a table each."""
    from uomh.settings import config_class, describe

    if kind == "datasets":
        from uomh.data import DataConfig

        out.print("\nsettings of data")
        out.print(settings_table(describe(DataConfig, {}, "data.")))
        return
    for name in registry.entries(kind):
        if hasattr(registry.load(kind, name), "Config"):
            out.print(f"\nsettings of {name}")
            prefix = "clusters." if kind == "clusterers" else f"{kind.removesuffix('s')}."
            out.print(settings_table(describe(config_class(kind, name), {}, prefix)))


def settings_table(rows: Iterable[tuple[str, str, str, str]]) -> Table:
    """Settings as key, default, and meaning with type."""
    return rows_table(
        ("key", "default", "meaning"),
        [(key, default, f"{summary} ({kind})") for key, kind, default, summary in rows],
    )
