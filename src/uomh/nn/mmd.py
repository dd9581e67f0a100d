r"""The maximum mean discrepancy, a distance between distributions, estimated from samples.

For a kernel k, MMD^2(q, p) = E k(z, z') + E k(w, w') - 2 E k(z, w), with z, z' from q and w, w'
from p, all independent; it is zero for q = p alone if the kernel is characteristic, as the inverse
multiquadratic one is: k(a, b) = c / (c + ||a - b||^2), whose heavy tails still pull on codes that
lie far out (Tolstikhin et al. 2018). The unbiased estimate leaves out pairs of a point with itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

from uomh.errors import UomhError

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""widths of the kernels that are added up: one has a gradient at any distance of z from w"""


def mmd(z: Tensor, w: Tensor, y: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """Unbiased estimate of MMD^2 between the distributions of z and w, point by point.

    Args:
        z: points (B, d).
        w: as many points (B, d) of the other distribution; their squared distances set the width.
        y: labels (B,) of both; then the distributions of the pairs (point, label) are compared.
        weights: of the points w (B,); default ones.

    Returns:
        The share of each point z in the estimate, (B,); their mean is the estimate.

    Raises:
        UomhError: there is one point, which makes no pair.
    """
    n = len(z)
    if n < 2:
        raise UomhError(
            "a maximum mean discrepancy needs pairs of points, and there is one point; give more, "
            "in batches of two and more (train.batch_size)"
        )
    width = torch.cdist(w, w).square().sum().detach() / (n * (n - 1))
    distinct = 1 - torch.eye(n, dtype=z.dtype, device=z.device)
    same_label = 1 if y is None else (y[:, None] == y).to(z.dtype)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squares = (a[:, None] - b).square().sum(-1)
        return sum((s * width / (s * width + squares) for s in SCALES), squares * 0) * same_label

    weights = torch.ones(n, dtype=w.dtype, device=w.device) if weights is None else weights
    pairs = n - 1
    within = (kernel(z, z) * distinct).sum(1) / pairs
    prior = (kernel(w, w) * distinct * weights[:, None] * weights).sum(1).mean() / pairs
    across = (kernel(z, w) * distinct * weights).sum(1) / pairs
    return within + prior - 2 * across
