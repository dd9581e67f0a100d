"""Pages of the reference that are made from the code: every setting, every command's help."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.core import TyperCommand

from uomh import registry
from uomh.cli import app
from uomh.config import RunConfig
from uomh.settings import config_class, describe

PLAIN_HELP = {"max_content_width": 100, "terminal_width": 100}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for name, lines in (("settings", settings()), ("commands", commands())):
        text = "\n".join(lines) + "\n"
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def settings() -> Iterator[str]:
    """Every setting from its class: of a run, then of each component, kind by kind."""
    yield "# Every setting\n"
    yield "Made from the classes of the settings; `uomh list KIND --settings` prints the same.\n"
    yield "## Of a run\n"
    yield from table(describe(RunConfig, {}))
    for kind in registry.KINDS:
        yield f"## {kind.capitalize()}\n"
        for name in registry.entries(kind):
            if not hasattr(registry.load(kind, name), "Config"):
                continue
            rows = describe(config_class(kind, name), {})
            if rows:
                yield f"### {name}\n"
                yield from table(rows)


def table(rows: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    """Settings as key, type, default and meaning."""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for row in rows:
        key, kind, default, meaning = (cell.replace("|", "\\|") for cell in row)
        yield f"| `{key}` | {kind} | `{default}` | {meaning} |"
    yield ""


def commands() -> Iterator[str]:
    """The help of each command, as it is printed at 100 columns."""
    yield "# Every command\n"
    group = typer.main.get_command(app)
    for name in group.list_commands(None):  # type: ignore[attr-defined]
        command = group.get_command(None, name)  # type: ignore[attr-defined]
        context = command.make_context(name, [], resilient_parsing=True, **PLAIN_HELP)
        context.info_name = f"uomh {name}"
        formatter = context.make_formatter()
        # Without what `train` prints below its options: every setting has a page of its own.
        TyperCommand.format_help(command, context, formatter)
        yield f"## uomh {name}\n"
        yield f"```text\n{formatter.getvalue().rstrip()}\n```\n"
