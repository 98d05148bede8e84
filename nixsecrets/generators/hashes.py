"""What a service checks a password against."""

import secrets
from collections.abc import Sequence

import bcrypt

from nixsecrets.errors import NixsecretsError, ProgramError, RepositoryError
from nixsecrets.fleet.generator import HashMethod
from nixsecrets.generators.generated import Run
from nixsecrets.generators.libcrypt import crypt
from nixsecrets.plaintext import Plaintext

_PREFIXES = {HashMethod.YESCRYPT: b"$y$", HashMethod.SHA512: b"$6$"}  # crypt(5)
_MKPASSWD_METHODS = {HashMethod.YESCRYPT: "yescrypt", HashMethod.SHA512: "sha512crypt"}
_SALT_BYTES = 16
_MOST_BYTES = 511  # CRYPT_MAX_PASSPHRASE_SIZE of libxcrypt is 512, its NUL among them
_MOST_BCRYPT_BYTES = 72
_HTPASSWD_ROUNDS = 10  # a server checks it at each request


def hashed_password(password: Plaintext, method: HashMethod, run: Run) -> Plaintext:
    """Return a password as crypt(3) hashes it, with a salt of its own.

    Args:
        password: without line breaks, since a login takes a line.
        method: bcrypt takes at most 72 bytes.
        run: for `mkpasswd`, where the machine has no libxcrypt.

    Raises:
        RepositoryError: the password cannot be hashed so, or nothing here can do it.
        ProgramError: mkpasswd cannot do it either.
    """
    _check(password, _MOST_BYTES)
    if method is HashMethod.BCRYPT:
        return _bcrypt(password, bcrypt.gensalt())
    hashed = crypt(password, _PREFIXES[method], secrets.token_bytes(_SALT_BYTES))
    return Plaintext(hashed) if hashed else _by_mkpasswd(password, method, run)


def htpasswd(users: Sequence[tuple[str, Plaintext]]) -> Plaintext:
    """Return an htpasswd file with a line for each user, hashed with bcrypt.

    Raises:
        RepositoryError: a password has more than 72 bytes or a line break.
    """
    lines = (b"%b:%b\n" % (user.encode(), _apache(password).reveal()) for user, password in users)
    return Plaintext(b"".join(lines))


def _apache(password: Plaintext) -> Plaintext:
    """Apache knows bcrypt's 2b under its older name only: 2y, the same computation."""
    _check(password, _MOST_BCRYPT_BYTES)
    hashed = _bcrypt(password, bcrypt.gensalt(_HTPASSWD_ROUNDS)).reveal()
    return Plaintext(b"$2y$" + hashed.removeprefix(b"$2b$"))


def _bcrypt(password: Plaintext, salt: bytes) -> Plaintext:
    _check(password, _MOST_BCRYPT_BYTES)
    return Plaintext(bcrypt.hashpw(password.reveal(), salt))


def _by_mkpasswd(password: Plaintext, method: HashMethod, run: Run) -> Plaintext:
    arguments = ["mkpasswd", "-s", "-m", _MKPASSWD_METHODS[method]]
    try:
        said = run(arguments, Plaintext(password.reveal() + b"\n")).reveal().strip()
    except NixsecretsError as error:
        raise ProgramError(
            f"no libcrypt for {method.value} was found, and {error.problem}",
            hint="install mkpasswd, or say `method: bcrypt`",
        ) from None
    if not said.startswith(_PREFIXES[method]) or len(said.split()) != 1:
        raise ProgramError(
            f"mkpasswd made no {method.value} hash",
            hint="install the mkpasswd of the whois package, or say `method: bcrypt`",
        )
    return Plaintext(said)


def _check(password: Plaintext, most_bytes: int) -> None:
    if not password:
        raise RepositoryError("an empty password is not hashed")
    if set(password.reveal()) & set(b"\0\r\n"):
        raise RepositoryError("a password with a line break or a NUL is not hashed")
    if len(password) > most_bytes:
        raise RepositoryError(
            f"a password of {len(password)} bytes is not hashed so, only up to {most_bytes}"
        )
