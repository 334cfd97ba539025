"""The adjoint of every projection at any size; all other laws are in ``contract.py``, which each one's file runs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intdim.projections import PROJECTIONS, make_projection

from .contract import dot_error, random_vector


@pytest.mark.parametrize("name", PROJECTIONS)
@settings(max_examples=25, deadline=None)
@given(D=st.integers(1, 6000), share=st.floats(0, 1), seed=st.integers(0, 2**63))
def test_dot_test_at_any_size(name, D, share, seed):
    d = max(1, round(D**share))
    P = make_projection(name, D, d, seed)
    assert dot_error(P, random_vector(d, "z"), random_vector(D, "g")) < 1e-12
