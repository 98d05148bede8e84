"""What a passphrase keeps shut, and the age messages that are protected by one."""

from collections.abc import Callable
from typing import final

import pyrage

from nixsecrets.age import message
from nixsecrets.age.armor import unarmor
from nixsecrets.errors import IntegrityError, NixsecretsError, NoIdentityError
from nixsecrets.plaintext import Plaintext

Ask = Callable[[str], Plaintext]
"""Ask the user for a secret, with a prompt; only a caller with a terminal has one."""

Decrypt = Callable[[bytes], Plaintext | None]
"""Open a binary age message; None if it is not for this identity, or damaged."""

Unlock = Callable[[Plaintext], tuple[Decrypt, ...] | None]
"""Take a passphrase, and return what opens messages; None if it is wrong."""

_ATTEMPTS = 3
_BINARY, _ARMORED = b"age-encryption.org/", b"-----BEGIN AGE"
_WRONG = "Decryption failed"  # pyrage, whatever the reason; what else it says has another


@final
class Lock:
    """Opens messages with what a passphrase gives free: asked for once, when first needed.

    Args:
        source: where the locked identities were read, for the prompt.
        unlock: what a passphrase does.
        ask: how the user is asked; nothing typed means "not this one".
    """

    __slots__ = ("_ask", "_source", "_unlock", "_unlocked")

    def __init__(self, source: str, unlock: Unlock, ask: Ask) -> None:
        self._source = source
        self._unlock = unlock
        self._ask = ask
        self._unlocked: tuple[Decrypt, ...] | NoIdentityError | None = None

    def decrypt(self, content: bytes) -> Plaintext | None:
        """Open a binary age message; None if it is not for these identities, or damaged.

        Raises:
            NoIdentityError: they stay locked, this time and from now on.
        """
        if self._unlocked is None:
            self._unlocked = self._try()
        if isinstance(self._unlocked, NoIdentityError):
            raise NoIdentityError(self._unlocked.problem)
        opened = (decrypt(content) for decrypt in self._unlocked)
        return next((found for found in opened if found is not None), None)

    def _try(self) -> tuple[Decrypt, ...] | NoIdentityError:
        prompt = f"passphrase of {self._source}: "
        try:
            for _ in range(_ATTEMPTS):
                passphrase = self._ask(prompt)
                if not passphrase:
                    return NoIdentityError(f"no passphrase was given for {self._source}")
                unlocked = self._unlock(passphrase)
                if unlocked is not None:
                    return unlocked
                prompt = f"that is not it; passphrase of {self._source}: "
        except NixsecretsError as error:
            return NoIdentityError(f"{self._source}: {error.problem}")
        return NoIdentityError(f"the passphrase of {self._source} was wrong {_ATTEMPTS} times")


def looks_protected(content: Plaintext) -> bool:
    """Say whether an identity file is an age message, as sops tells it (`age/keysource.go`)."""
    return content.reveal().lstrip().startswith((_BINARY, _ARMORED))


def parse_protected(content: Plaintext) -> Plaintext:
    """Return the binary form of an age message that is protected by a passphrase.

    Raises:
        NoIdentityError: it was wrapped to recipients, or is damaged.
    """
    text = content.reveal()
    armored = text.lstrip().startswith(_ARMORED)
    binary = unarmor(text.decode("ascii", "replace")) if armored else text
    try:
        stanzas = message.parse(binary or b"").stanzas
    except IntegrityError:
        raise NoIdentityError("it is an age message, and a damaged one") from None
    if [stanza.arguments[0] for stanza in stanzas] != ["scrypt"]:
        raise NoIdentityError("it is an age message, but not one that a passphrase opens")
    return Plaintext(binary or b"")


def open_protected(protected: Plaintext, passphrase: Plaintext) -> Plaintext | None:
    """Return what is inside a binary age message; None if the passphrase is wrong.

    Raises:
        NoIdentityError: it cannot be opened for another reason.
    """
    try:
        spelled = passphrase.reveal().decode("utf-8", "replace")
        return Plaintext(pyrage.passphrase.decrypt(protected.reveal(), spelled))
    except pyrage.DecryptError as error:
        said = str(error).partition("\n")[0]
        if said == _WRONG:
            return None
        raise NoIdentityError(f"its age message cannot be opened ({said.rstrip('.')})") from None
