#!/usr/bin/env python3
"""The paper's command for a disconnected two-step model: ./cluster_main.py --model vae ..."""

from single_main import start

start("cluster_main")
