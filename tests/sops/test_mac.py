"""The authentication code over a document's values."""

from hashlib import sha256, sha512

import pytest

from nixsecrets.errors import IntegrityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import mac
from nixsecrets.sops.cipher import Cipher

CIPHER = Cipher(Plaintext(bytes(32)))
NOW = "2024-05-06T07:08:09Z"
VALUES = [(True, Plaintext(b"sealed")), (False, Plaintext(b"clear")), (True, Plaintext(b"1"))]


def test_the_code_is_taken_over_all_values_in_order() -> None:
    expected = sha512(b"sealedclear1").hexdigest().upper()
    assert mac.compute(VALUES, only_encrypted=False) == expected


def test_values_in_clear_can_be_left_out() -> None:
    expected = sha512(sha256(b"sops").digest() + b"sealed1").hexdigest().upper()
    assert mac.compute(VALUES, only_encrypted=True) == expected


def test_the_sealed_code_is_bound_to_the_instant() -> None:
    sealed = mac.seal("ABC", CIPHER, NOW)
    assert CIPHER.open(sealed, NOW.encode()) == ("str", Plaintext(b"ABC"))
    mac.verify("ABC", sealed, CIPHER, NOW)


@pytest.mark.parametrize("spelled", ["2024-05-06T07:08:09+00:00", "2024-05-06T07:08:09.25Z"])
def test_another_spelling_of_the_instant_is_the_same(spelled: str) -> None:
    mac.verify("ABC", mac.seal("ABC", CIPHER, NOW), CIPHER, spelled)


@pytest.mark.parametrize(
    ("code", "sealed", "instant", "problem"),
    [
        ("ABC", "", NOW, "the document has no MAC"),
        ("ABD", None, NOW, "the MAC does not match the values"),
        ("abc", None, NOW, "the MAC does not match the values"),
        ("ABC", None, "2024-05-06T07:08:10Z", "the MAC or `lastmodified` was changed"),
        ("ABC", None, "yesterday", "`lastmodified` is no RFC 3339 instant"),
        ("ABC", "ENC[AES256_GCM,data:x]", NOW, "the MAC or `lastmodified` was changed"),
    ],
    ids=["missing", "other values", "lower case", "other instant", "no instant", "no ciphertext"],
)
def test_what_does_not_hold_is_damage(
    code: str, sealed: str | None, instant: str, problem: str
) -> None:
    sealed = mac.seal("ABC", CIPHER, NOW) if sealed is None else sealed
    with pytest.raises(IntegrityError) as caught:
        mac.verify(code, sealed, CIPHER, instant)
    assert caught.value.problem == problem
