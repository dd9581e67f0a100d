"""Independent work, in this process, in processes, or on a Ray cluster; and how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

if TYPE_CHECKING:
    from uomh.parallel.core import Outcome as Outcome
    from uomh.parallel.core import Parallel as Parallel
    from uomh.parallel.core import computing_with as computing_with
    from uomh.parallel.core import raise_failures as raise_failures
    from uomh.parallel.core import resumable_map as resumable_map
    from uomh.parallel.progress import Progress as Progress
else:
    __all__, __dir__, __getattr__ = attach(__name__)
