"""What tests of the neighbour search share."""

import numpy as np

from uomh.neighbours import nearest_neighbours


def assert_unchanged_by(settings, X, plain, monkeypatch):
    """The lists of ``X`` are the plain ones, whichever (module, constant, value) is set."""
    for module, name, value in settings:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            other = nearest_neighbours(X, plain.k)
        np.testing.assert_array_equal(other.indices, plain.indices, err_msg=name)
        np.testing.assert_array_equal(other.distances, plain.distances, err_msg=name)
