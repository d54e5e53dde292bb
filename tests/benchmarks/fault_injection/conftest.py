"""Films that are mutated."""

import pytest

from benchmarks.fault_injection import mutations


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return mutations.make_films(tmp_path_factory.mktemp("films"))
