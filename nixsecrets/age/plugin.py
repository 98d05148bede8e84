"""Recipients and identities of age plugins: programs named `age-plugin-NAME` (C2SP age-plugin.md).

pyrage finds such a program on PATH, starts it and speaks with it. It cannot be hurried: it may be
waiting for a finger on a hardware token. An interrupt from the terminal ends it, and then us.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import pyrage

from nixsecrets.age.passphrase import Ask
from nixsecrets.errors import NixsecretsError, NoIdentityError, ProgramError, RepositoryError
from nixsecrets.plaintext import Plaintext

Tell = Callable[[str], None]
"""Show the user a line, such as "touch the token"."""

RECIPIENT_PREFIX = "age1"
IDENTITY_PREFIX = "AGE-PLUGIN-"
_NAME = r"[a-z0-9+._-]+"
_NO_MATCH = "No matching keys found"  # pyrage, of a message that is not for the identity
_ISOLATES = str.maketrans("", "", "\u2066\u2067\u2068\u2069")  # pyrage puts them round names
_YES = frozenset({"y", "yes"})


class Person(NamedTuple):
    """How a plugin reaches whoever runs this; without, it is told that nobody is there."""

    ask: Ask | None = None
    tell: Tell | None = None


NOBODY = Person()


def check_recipient(prefix: str) -> None:
    """Refuse what cannot name a program, before any is looked for.

    Args:
        prefix: what stands in front of the last `1`.

    Raises:
        RepositoryError: the name is empty or has another character than `a-z0-9+-._`.
    """
    name = prefix.removeprefix(RECIPIENT_PREFIX)
    if not name:
        raise RepositoryError("the name of its plugin is empty")
    if not re.fullmatch(_NAME, name):
        raise RepositoryError("the name of its plugin holds other characters than a-z 0-9 + - . _")


def encrypt(data_key: Plaintext, text: str) -> bytes:
    """Return a binary age message for one recipient, given as `age1NAME1…`.

    Raises:
        ProgramError: the plugin is missing, or fails.
    """
    recipient = pyrage.plugin.Recipient.from_str(text)
    program = f"age-plugin-{recipient.plugin()}"
    callbacks = _Callbacks(NOBODY)
    try:
        wrapping = pyrage.plugin.RecipientPluginV1(recipient.plugin(), [recipient], [], callbacks)
    except pyrage.EncryptError:
        raise ProgramError(
            f"{program} is not on PATH, and only it wraps to {text[:12]}…",
            hint=f"install {program}",
        ) from None
    try:
        return pyrage.encrypt(data_key.reveal(), [wrapping])
    except pyrage.EncryptError as error:
        raise ProgramError(_said(program, error)) from None
    finally:
        callbacks.leave()


def parse_identity(text: str, person: Person) -> Callable[[bytes], Plaintext | None]:
    """Return what opens binary age messages through a plugin, given `AGE-PLUGIN-NAME-1…`.

    It returns None where the plugin has nothing to say, and raises NoIdentityError where the
    plugin fails.

    Raises:
        NoIdentityError: the text is malformed, or the plugin missing; the text is never quoted.
    """
    name = text.removeprefix(IDENTITY_PREFIX).rpartition("-1")[0].lower()
    if not re.fullmatch(_NAME, name):
        raise NoIdentityError("an identity of a plugin without name, or with one that is none")
    program = f"age-plugin-{name}"
    try:
        identity = pyrage.plugin.Identity.from_str(text)
        pyrage.plugin.IdentityPluginV1(name, [identity], _Callbacks(person))
    except pyrage.IdentityError:
        raise NoIdentityError("a malformed identity of a plugin (cut off?)") from None
    except pyrage.DecryptError:
        raise NoIdentityError(f"{program} is not on PATH; install it") from None

    def decrypt(content: bytes) -> Plaintext | None:
        callbacks = _Callbacks(person)
        opening = pyrage.plugin.IdentityPluginV1(name, [identity], callbacks)
        try:
            return Plaintext(pyrage.decrypt(content, [opening]))
        except pyrage.DecryptError as error:
            if str(error) == _NO_MATCH:
                return None
            raise NoIdentityError(_said(program, error)) from None
        finally:
            callbacks.leave()

    return decrypt


class _Callbacks:
    """What pyrage calls while a plugin runs.

    An exception here would end the process; the first is kept until the plugin is left. pyrage
    calls `display_message` from another thread too, about a plugin that is slow, and late.
    """

    def __init__(self, person: Person) -> None:
        self._person = person
        self._raised: NixsecretsError | OSError | KeyboardInterrupt | None = None
        self._over = False

    def leave(self) -> None:
        self._over = True
        if self._raised:
            raise self._raised

    def display_message(self, message: str) -> None:
        if self._person.tell and not self._over:
            try:
                self._person.tell(_printable(message))
            except (NixsecretsError, OSError, KeyboardInterrupt) as error:
                self._raised = self._raised or error

    def confirm(self, message: str, yes_string: str, no_string: str | None) -> bool | None:
        answers = f"y: {yes_string}" + (f", n: {no_string}" if no_string else "")
        answer = self.request_passphrase(f"{message} [{answers}]")
        return None if answer is None else answer.strip().lower() in _YES

    def request_public_string(self, description: str) -> str | None:
        return self.request_passphrase(description)

    def request_passphrase(self, description: str) -> str | None:
        if self._person.ask is None or self._raised:
            return None
        try:
            answer = self._person.ask(f"{_printable(description)}: ")
        except (NixsecretsError, OSError, KeyboardInterrupt) as error:
            self._raised = error
            return None
        return answer.reveal().decode("utf-8", "replace")


def _said(program: str, error: Exception) -> str:
    """Return what pyrage tells of a plugin that failed, the plugin's own words among it."""
    words = str(error).partition("\n")[0].translate(_ISOLATES)
    return f"{program} {_printable(words).removeprefix(f'{program!r} ').rstrip('. ')}"


def _printable(text: str) -> str:
    """Leave out what a terminal would obey."""
    return "".join(sign for sign in text if sign.isprintable())
