#!/usr/bin/env python3
"""The paper's command for a two-step model: ./main.py --gae-model vae --de-model flow ..."""

from single_main import start

start("main")
