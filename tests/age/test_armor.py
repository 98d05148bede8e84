import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.age.armor import armor, unarmor
from tests.age import vectors
from tests.age.vectors import Vector


@pytest.mark.parametrize("vector", vectors.about("armor"))
def test_a_published_vector_comes_out_as_it_says(vector: Vector) -> None:
    message = unarmor(vector.content.decode("latin-1"))
    assert (message is not None) == (vector.expect in {"success", "no match"}) or (
        vector.expect == "header failure"  # for the header to say
    )


@given(st.binary(min_size=1, max_size=200))
def test_what_is_armored_comes_back(message: bytes) -> None:
    assert unarmor(armor(message)) == message
    assert max(map(len, armor(message).splitlines()[1:-1])) <= 64
