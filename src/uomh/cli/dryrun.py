"""`uomh train --dry-run`: what a run would be, and what it would cost; nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from uomh.cli.console import out, say
from uomh.cost import flops_in_words
from uomh.text import shown

if TYPE_CHECKING:
    from uomh.config import RunConfig
    from uomh.data.core import Data
    from uomh.parallel.core import Parallel
    from uomh.settings import Nested
    from uomh.training.origins import Setting
    from uomh.training.outline import Outline

AS_THEY_ARE = ("class", "saved")
"""clusterers that read groups instead of computing them, so that a run need not make them again"""


def show(
    config: RunConfig,
    data: Data,
    run_dir: Path | None,
    parallel: Parallel | None,
    given: dict[str, Any],
) -> None:
    """Print the tree of settings, then what each leaf and each part would cost.

    Args:
        config: from `resolve`.
        data: as loaded.
        run_dir: folder that the run would go on in, if there is one.
        parallel: where parts would be trained.
        given: the arguments of `resolve`.

    Raises:
        UomhError: as training would before its first step.
    """
    from uomh.parallel.core import computing_with
    from uomh.training.folder import going_on, read_config_file
    from uomh.training.load import encoder_of
    from uomh.training.origins import origins
    from uomh.training.outline import outlines
    from uomh.training.pretrained import check_sources
    from uomh.training.resolve import PARTITION, build_decided, decided, grouped
    from uomh.training.run import check_parallel

    there = read_config_file(run_dir) if run_dir is not None else None
    if run_dir is not None and there is not None:
        config, _ = going_on(run_dir, there, config, data)
    codes = config.cluster_codes
    check_sources(config, run_dir)
    kept = run_dir if run_dir is not None and (run_dir / PARTITION).is_file() else None
    with computing_with(config.threads):
        data = grouped(config, data, kept, partial(encoder_of, codes) if codes else None)
        settled = decided(config, data)
        model = build_decided(settled, data.spec)
        check_parallel(parallel, model)
        leaves = outlines(model, settled, data)
    out.print(settings_tree(origins(config, settled, **given)))
    out.print()
    out.print(leaves_table(leaves))
    for path, composition in compositions(settled.model.model_dump(mode="json")):
        out.print()
        out.print(parts_table(path, composition, leaves))
    parameters = sum(leaf.parameters for leaf in leaves)
    flops = total(leaf.flops for leaf in leaves)
    epochs = total(None if f.flops is None else f.flops * f.epochs for f in leaves)
    out.print()
    passes = f"{flops_in_words(flops)} a pass, {flops_in_words(epochs)} in all epochs"
    say(f"total: {parameters:,} parameters, {passes}")
    if config.clusters is not None and kept is None and config.clusters.name not in AS_THEY_ARE:
        say(f"{config.clusters.name}: the run makes these groups again, as nothing is kept of them")
    say("nothing was trained and nothing written (--dry-run)")


def settings_tree(settings: Iterable[Setting]) -> Table:
    """Settings as an indented tree; a component is a line with its name, above its settings."""
    table = Table(box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True, overflow="ellipsis")
    table.add_column("value", overflow="fold")
    table.add_column("from", no_wrap=True)
    found = list(settings)
    names = {s.key.removesuffix(".name"): s for s in found if s.key.endswith(".name")}
    heads: list[str] = []
    for setting in found:
        *groups, field = setting.key.split(".")
        for depth in range(len(groups)):
            if heads[: depth + 1] != groups[: depth + 1]:
                name = names.get(".".join(groups[: depth + 1]))
                value, origin = (name.value, name.origin) if name else ("", "")
                table.add_row("  " * depth + shown(groups[depth]), shown(value), origin)
                heads = groups[: depth + 1]
        heads = groups
        if groups and field == "name":
            continue
        value = setting.value
        text = value if isinstance(value, str) else json.dumps(value)
        table.add_row("  " * len(groups) + shown(field), shown(text), setting.origin)
    return table


def leaves_table(leaves: Iterable[Outline]) -> Table:
    """How many points and epochs each leaf would be trained on, its size and its cost."""
    table = _numbers("leaf", "points", "epochs", "parameters", "FLOPs a pass")
    for leaf in leaves:
        numbers = (leaf.points, leaf.epochs, leaf.parameters)
        table.add_row(leaf.path, *(f"{n:,}" for n in numbers), flops_in_words(leaf.flops))
    return table


def parts_table(path: str, composition: Nested, leaves: Sequence[Outline]) -> Table:
    """The parts of a disconnected model, and what the data decided of each."""
    from uomh.config import differences

    table = _numbers("group", "n", "parameters", "FLOPs a pass")
    table.add_column("what differs", overflow="fold")
    for k, part in enumerate(composition["parts"]):
        below = [leaf for leaf in leaves if f"{leaf.path}/".startswith(f"{path}/part{k}/")]
        changes = differences(composition["part"], part["model"])
        table.add_row(
            shown(part["name"]),
            f"{part['n']:,}",
            f"{sum(leaf.parameters for leaf in below):,}",
            flops_in_words(total(leaf.flops for leaf in below)),
            shown(", ".join(f"{key}={json.dumps(new)}" for key, _, new in changes)),
        )
    return table


def compositions(model: Nested, path: str = "model") -> Iterator[tuple[str, Nested]]:
    """The disconnected models among nested settings, by their path."""
    if model.get("parts"):
        yield path, model
        return
    for field, value in model.items():
        if isinstance(value, dict):
            yield from compositions(value, f"{path}/{field}")


def total(numbers: Iterable[int | None]) -> int | None:
    """The sum; None where one of the numbers is not known."""
    known = 0
    for number in numbers:
        if number is None:
            return None
        known += number
    return known


def _numbers(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
