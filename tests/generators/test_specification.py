from hashlib import sha256

from nixsecrets.fleet.generator import (
    Age,
    Base64,
    HashedPassword,
    HashMethod,
    Hex,
    Passphrase,
    Password,
    Reference,
    Wireguard,
)
from nixsecrets.generators.specification import spec_of


def test_the_digest_is_of_one_spelling() -> None:
    spelled = b'{"kind":"hashed-password","method":"yescrypt","of":"admins:a"}'
    assert spec_of(HashedPassword(Reference("admins:a"))) == sha256(spelled).hexdigest()
    assert spec_of(None) == sha256(b"null").hexdigest()


def test_a_default_that_is_written_down_changes_nothing() -> None:
    assert spec_of(Password()) == spec_of(Password(length=32))


def test_each_other_generator_has_another_digest() -> None:
    asked = (
        None,
        Password(),
        Password(16),
        Passphrase(),
        Hex(32),
        Base64(32),
        Age(),
        Wireguard(),
        HashedPassword(Reference("a")),
        HashedPassword(Reference("b")),
        HashedPassword(Reference("a"), HashMethod.BCRYPT),
    )
    assert len({spec_of(one) for one in asked}) == len(asked)
