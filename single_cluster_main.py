#!/usr/bin/env python3
"""The paper's command for a disconnected model: ./single_cluster_main.py --model vae ..."""

import os
import sys
from pathlib import Path

try:
    from uomh.paper_cli import single_cluster_main
except ModuleNotFoundError as missing:
    here = Path(__file__).resolve().parent
    python = here / ".venv" / "bin" / "python"
    if missing.name != "uomh" or not python.exists():
        sys.exit(f"{missing}; type `make .venv` in {here} first")
    os.execv(python, [str(python), *sys.argv])

single_cluster_main()
