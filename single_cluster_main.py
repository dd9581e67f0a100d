#!/usr/bin/env python3
"""The paper's command for a disconnected model: ./single_cluster_main.py --model vae ..."""

from single_main import start

start("single_cluster_main")
