"""What the command lines of the paper's code mean, without running them."""

from uomh import resolve
from uomh.cli import paper
from uomh.cli.paper import tree
from uomh.cli.paper.flags import said_of_flags
from uomh.cli.paper.resolving import evaluators, parsed, resolved


def meaning(line):
    """The values, and the lines that are said, of a command line."""
    script, *arguments = line.split()
    command = getattr(paper, script)
    given = command.parser().parse_args(arguments)
    options = parsed(command, given)
    found = resolved(command, given, options)
    return (
        (found.values, found.shared, evaluators(command, options)),
        [*said_of_flags(command, given), *found.notes],
    )


def settings(line):
    """The settings of the run of a command line, as its folder would have them, by section."""
    config, _ = resolve(values=tree.settings(meaning(line)[0][0]))
    return tree.sections(config)


def holds(found, wanted, where=""):
    for key, value in wanted.items():
        if isinstance(value, dict):
            holds(found[key], value, f"{where}{key}.")
        else:
            assert found[key] == value, f"{where}{key}"
