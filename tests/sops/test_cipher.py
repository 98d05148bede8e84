"""One leaf and its spelling."""

import re
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.errors import IntegrityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.cipher import Bonds, Cipher, looks_sealed, path_aad, spelled_type
from nixsecrets.sops.tree import keys_of

DATA_KEY = Plaintext(bytes(range(32)))
IV = bytes(range(100, 132))
SEALED = (
    "ENC[AES256_GCM,data:oiS/qyc=,iv:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=,"
    "tag:/nJZv+oICGo1fj376wwyOA==,type:str]"
)


def test_a_leaf_is_spelled_as_another_program_would_spell_it() -> None:
    encryptor = BlockCipher(algorithms.AES(DATA_KEY.reveal()), modes.GCM(IV)).encryptor()
    encryptor.authenticate_additional_data(b"a:b:")
    data = encryptor.update(b"hello") + encryptor.finalize()

    spelled = Cipher(DATA_KEY)._seal(Plaintext(b"hello"), "str", b"a:b:", IV)

    assert spelled == SEALED
    assert _field(spelled, "data") == data
    assert _field(spelled, "tag") == encryptor.tag


def test_every_sealing_draws_an_iv_of_32_bytes() -> None:
    cipher = Cipher(DATA_KEY)
    ivs = {_field(cipher.seal(Plaintext(b"x"), "str", b":"), "iv") for _ in range(20)}
    assert {len(iv) for iv in ivs} == {32}
    assert len(ivs) == 20


def test_a_leaf_opens_with_its_type() -> None:
    assert Cipher(DATA_KEY).open(SEALED, b"a:b:") == ("str", Plaintext(b"hello"))


@pytest.mark.parametrize("length", [12, 16, 32])
def test_the_iv_may_have_any_length_that_sops_takes(length: int) -> None:
    cipher = Cipher(DATA_KEY)
    spelled = cipher._seal(Plaintext(b"x"), "int", b":", bytes(length))
    assert cipher.open(spelled, b":") == ("int", Plaintext(b"x"))


@pytest.mark.parametrize("field", ["data", "iv", "tag"])
def test_one_wrong_bit_anywhere_is_damage(field: str) -> None:
    content = _field(SEALED, field)
    for position in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[position // 8] ^= 1 << position % 8
        spelled = SEALED.replace(_base64(content), _base64(bytes(flipped)))
        with pytest.raises(IntegrityError, match="the ciphertext does not hold"):
            Cipher(DATA_KEY).open(spelled, b"a:b:")


@pytest.mark.parametrize(
    ("spelled", "aad"),
    [
        pytest.param(SEALED, b"a:c:", id="another place"),
        pytest.param(SEALED.replace("=,iv", ",iv"), b"a:b:", id="padding cut off"),
        pytest.param(SEALED.replace("oiS/", "oiS!"), b"a:b:", id="no base64"),
        pytest.param(SEALED.replace("data:oiS/qyc=", "data:"), b"a:b:", id="without data"),
        pytest.param(" " + SEALED, b"a:b:", id="leading blank"),
        pytest.param(SEALED + " ", b"a:b:", id="trailing text"),
        pytest.param(SEALED[:-1], b"a:b:", id="cut off"),
        pytest.param("hello", b"a:b:", id="in clear"),
        pytest.param("", b"a:b:", id="empty"),
    ],
)
def test_what_was_not_sealed_here_does_not_open(spelled: str, aad: bytes) -> None:
    with pytest.raises(IntegrityError):
        Cipher(DATA_KEY).open(spelled, aad)


def test_another_data_key_opens_nothing() -> None:
    with pytest.raises(IntegrityError):
        Cipher(Plaintext(bytes(32))).open(SEALED, b"a:b:")


def test_a_data_key_of_no_aes_length_is_damage() -> None:
    with pytest.raises(IntegrityError, match="length of an AES key"):
        Cipher(Plaintext(bytes(33)))


@pytest.mark.parametrize(
    ("keys", "aad"),
    [
        pytest.param((), b":", id="a comment at top level"),
        pytest.param(("a",), b"a:", id="top level"),
        pytest.param(("a", "b"), b"a:b:", id="nested"),
        pytest.param(("a:b",), b"a:b:", id="a colon is not escaped"),
        pytest.param(("",), b":", id="empty"),
        pytest.param(("ü",), b"\xc3\xbc:", id="utf-8"),
    ],
)
def test_a_leaf_is_bound_to_the_mapping_keys_above_it(keys: tuple[str, ...], aad: bytes) -> None:
    assert path_aad(keys) == aad


@pytest.mark.parametrize(
    ("text", "type_name"),
    [
        (SEALED, "str"),
        (SEALED.replace("type:str", "type:comment"), "comment"),
        ("ENC[AES256_GCM]", None),
        ("plain", None),
    ],
    ids=["leaf", "comment", "look-alike", "plain"],
)
def test_the_type_is_read_without_a_data_key(text: str, type_name: str | None) -> None:
    assert spelled_type(text) == type_name
    assert looks_sealed(text) is (type_name is not None)


def _field(spelled: str, name: str) -> bytes:
    found = re.search(rf"{name}:([^,\]]+)", spelled)
    assert found
    return b64decode(found[1])


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


@given(st.lists(st.lists(st.sampled_from(["a", "b:", "", "ü", "\udcff", 0, 1]), min_size=1)))
def test_leaves_one_after_the_other_are_bound_as_each_alone(paths: list[list[str | int]]) -> None:
    bonds = Bonds()
    found = [bonds.of(tuple(path)) for path in paths]
    assert found == [path_aad(keys_of(tuple(path))) for path in paths]
