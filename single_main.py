#!/usr/bin/env python3
"""The paper's command for a single model: ./single_main.py --dataset mnist --model vae ..."""

import os
import sys
from pathlib import Path


def start(command: str) -> None:
    """Run a command of `uomh.cli.paper`, by the Python of .venv where this one has no uomh."""
    try:
        from uomh.cli import paper
    except ModuleNotFoundError as missing:
        here = Path(__file__).resolve().parent
        python = here / ".venv" / "bin" / "python"
        if missing.name != "uomh" or not python.exists():
            sys.exit(f"{missing}; type `make .venv` in {here} first")
        os.execv(python, [str(python), *sys.argv])
    getattr(paper, command)()


if __name__ == "__main__":
    start("single_main")
