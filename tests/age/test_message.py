import os
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.age import message
from nixsecrets.age.message import HeaderStanza
from nixsecrets.errors import IntegrityError
from nixsecrets.plaintext import Plaintext
from tests.age import vectors
from tests.age.vectors import Vector

FILE_KEY = Plaintext(os.urandom(16))
arguments = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=90)
stanzas = st.builds(
    HeaderStanza,
    st.lists(arguments, min_size=1, max_size=4).map(tuple),
    st.binary(max_size=200),
)


@pytest.mark.parametrize("vector", vectors.about("message"))
def test_a_published_vector_comes_out_as_it_says(vector: Vector) -> None:
    def opened() -> Plaintext:
        return message.open_payload(message.parse(vector.content), Plaintext(vector.file_key))

    if vector.expect == "success":
        assert sha256(opened().reveal()).hexdigest() == vector.payload_sha256
    else:
        with pytest.raises(IntegrityError):
            opened()


@given(st.binary(max_size=33), st.lists(stanzas, min_size=1, max_size=4))
def test_what_is_sealed_opens_with_the_same_stanzas(
    data_key: bytes, wrapped: list[HeaderStanza]
) -> None:
    parsed = message.parse(message.seal(Plaintext(data_key), FILE_KEY, wrapped))
    assert parsed.stanzas == tuple(wrapped)
    assert message.open_payload(parsed, FILE_KEY) == Plaintext(data_key)


SEALED = message.seal(Plaintext(bytes(32)), FILE_KEY, [HeaderStanza(("test", "1"), bytes(70))])


def test_every_changed_bit_is_noticed() -> None:
    for bit in range(len(SEALED) * 8):
        changed = bytearray(SEALED)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError):
            message.open_payload(message.parse(bytes(changed)), FILE_KEY)


def test_what_is_no_data_key_is_neither_sealed_nor_opened() -> None:
    with pytest.raises(IntegrityError, match="a data key has at most 33 bytes"):
        message.seal(Plaintext(bytes(34)), FILE_KEY, [HeaderStanza(("test",), b"")])
    longer = message.parse(SEALED + bytes(2))
    with pytest.raises(IntegrityError, match="holds 50 bytes, which is no data key"):
        message.open_payload(longer, FILE_KEY)


def test_another_file_key_does_not_open() -> None:
    with pytest.raises(IntegrityError, match="the header of the age message does not hold"):
        message.open_payload(message.parse(SEALED), Plaintext(bytes(16)))
