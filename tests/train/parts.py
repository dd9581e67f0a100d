"""Parts of a run, trained as they are but slowly, and telling where."""

import functools
import json
import os
import time
from pathlib import Path

from tests.train.pieces import node
from uomh.training.run import train_part

SECONDS = 0.5
"""after each epoch, for a test to notice a part at work and kill it"""


def slow_part(task, progress):
    """Note the worker beside the run's folder, then train the part."""
    folder = Path(task["run_dir"]).parent / "starts"
    folder.mkdir(exist_ok=True)
    with (folder / Path(task["path"]).name).open("a") as file:
        file.write(json.dumps({"pid": os.getpid(), "node": node()}) + "\n")
    told = progress.epoch

    @functools.wraps(told)
    def epoch(*arguments):
        told(*arguments)
        time.sleep(SECONDS)

    progress.epoch = epoch
    train_part(task, progress)


def part_starts(root):
    """The workers of each part in the order in which they took it, by the part's name."""
    files = sorted((root / "starts").glob("part*"))
    return {
        each.name: [json.loads(line) for line in each.read_text().splitlines()] for each in files
    }
