"""Small sources share the programs of eight letters: padding changes no answer (discrete/common/test_padding.py)."""

import pytest

from theory.discrete.common import padding


@pytest.fixture(autouse=True, scope="module")
def _eight_letters_at_least(request):
    before = padding._SIZES
    if not request.module.__name__.endswith("test_problem"):  # which looks at the sizes
        padding._SIZES = tuple(size for size in before if size != 4)
    yield
    padding._SIZES = before
