"""The authentication code over a document's values (sops `sops.go`, `Tree.Encrypt`)."""

from collections.abc import Iterable
from itertools import islice

from cryptography.hazmat.primitives.hashes import SHA256, SHA512, Hash

from nixsecrets.errors import IntegrityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.cipher import Cipher
from nixsecrets.sops.scalars import canonical_time

_ONLY_ENCRYPTED_MARK = Hash.hash(SHA256(), b"sops")
_AT_ONCE = 256  # values: a call for each takes longer than hashing it


def compute(values: Iterable[tuple[bool, Plaintext]], *, only_encrypted: bool) -> str:
    """Return the digest over values in file order, 128 hexadecimal digits in upper case.

    Args:
        values: (is it encrypted by its rule, its canonical bytes) of every leaf that is not empty;
            comments are no part of it.
        only_encrypted: leave the values in clear out.
    """
    digest = Hash(SHA512())
    if only_encrypted:
        digest.update(_ONLY_ENCRYPTED_MARK)
    counted = (value.reveal() for encrypted, value in values if encrypted or not only_encrypted)
    while some := tuple(islice(counted, _AT_ONCE)):
        digest.update(b"".join(some))
    return digest.finalize().hex().upper()


def seal(code: str, cipher: Cipher, lastmodified: str) -> str:
    return cipher.seal(Plaintext(code.encode()), "str", _aad(lastmodified))


def verify(code: str, sealed: str, cipher: Cipher, lastmodified: str) -> None:
    """Check that `sealed`, as it stands in the metadata, is `code`.

    Raises:
        IntegrityError: the document was changed by something that did not have its data key.
    """
    hint = "look at the file's last changes (git log -p); sops calls this a MAC mismatch"
    if not sealed:
        raise IntegrityError("the document has no MAC", hint=hint)
    aad = _aad(lastmodified)
    try:
        _, stored = cipher.open(sealed, aad)
    except IntegrityError:
        raise IntegrityError("the MAC or `lastmodified` was changed", hint=hint) from None
    if stored != Plaintext(code.encode()):
        raise IntegrityError("the MAC does not match the values", hint=hint)


def _aad(lastmodified: str) -> bytes:
    """Return the instant as a reader prints it again: without fraction, zero offset as `Z`."""
    text = canonical_time(lastmodified)
    if text is None:
        raise IntegrityError("`lastmodified` is no RFC 3339 instant")
    head, mark, rest = text.partition(".")
    return (head + rest.lstrip("0123456789") if mark else text).encode()
