#!/usr/bin/env python3
"""The paper's command for a disconnected two-step model: ./cluster_main.py --model vae ..."""

import os
import sys
from pathlib import Path

try:
    from uomh.paper_cli import cluster_main
except ModuleNotFoundError as missing:
    here = Path(__file__).resolve().parent
    python = here / ".venv" / "bin" / "python"
    if missing.name != "uomh" or not python.exists():
        sys.exit(f"{missing}; type `make .venv` in {here} first")
    os.execv(python, [str(python), *sys.argv])

cluster_main()
