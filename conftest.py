"""For tests and doctests alike: decoded data go to a folder of this session."""

import os
import tempfile

# Idle threads that spin slow a busy machine by an order of magnitude.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
_cache = tempfile.TemporaryDirectory(prefix="uomh-tests-")
os.environ["UOMH_CACHE"] = _cache.name
