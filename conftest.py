"""For tests and doctests alike: decoded data go to a folder of this session."""

import os
import tempfile

# As the command line sets it: threads that spin for long slow a busy machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
_cache = tempfile.TemporaryDirectory(prefix="uomh-tests-")
os.environ["UOMH_CACHE"] = _cache.name
