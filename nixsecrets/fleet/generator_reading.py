"""A declaration's `generator` in the manifest: text → what is to be made."""

import re
from collections.abc import Callable, Mapping

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator import (
    DIGITS,
    LETTERS_AND_DIGITS,
    LOWER,
    UPPER,
    X509,
    Age,
    Asked,
    Base64,
    Command,
    Generator,
    HashedPassword,
    HashMethod,
    Hex,
    Htpasswd,
    Passphrase,
    Password,
    Prompt,
    Reference,
    ResticPassword,
    SshEd25519,
    Uuid,
    Wireguard,
    WireguardPreshared,
)
from nixsecrets.fleet.names import nearest
from nixsecrets.fleet.outline import Mapping as MappingNode
from nixsecrets.fleet.outline import Node, Scalar
from nixsecrets.fleet.section import Section, as_list, as_mapping, as_text, closed, parsed

ALPHABETS: Mapping[str, str] = {
    "lower": LOWER,
    "upper": UPPER,
    "letters": LOWER + UPPER,
    "digits": DIGITS,
    "symbols": r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~""",
}
LOOK_ALIKES = "B8G6I1l0OQDS5Z2|"
"""pwgen's own set (`pw_ambiguous`, its option -B), and the bar."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "password": ("length", "alphabet", "signs", "avoid-look-alikes"),
    "passphrase": ("words", "separator"),
    "hex": ("bytes",),
    "base64": ("bytes",),
    "ssh-ed25519": ("comment",),
    "hashed-password": ("of", "method"),
    "htpasswd": ("of",),
    "x509": ("ca", "by", "subject", "sans", "days"),
}
"""What each generator may be told, of those that take a mapping."""
MOST: Mapping[str, int] = {"length": 1024, "words": 64, "bytes": 1024, "days": 36500}
"""The highest number of each option that is one; the lowest is 1."""
_AUTHORITY_DAYS = 3650
_COMMON_NAME = 64  # ub-common-name, RFC 5280 appendix A.1
_NUMBER = r"[1-9][0-9]{0,5}"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS_NAME = rf"(\*\.)?{_LABEL}(\.{_LABEL})*"  # RFC 5890 section 2.3.1; RFC 6125 section 6.4.3
_IPV6 = r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
_HTPASSWD_USER = r"[^:\x00-\x20\x7f]{1,255}"  # htpasswd(1): no colon, at most 255 bytes


def parse_generator(node: Node) -> Generator:
    """Return what `generator` of a declaration says: `passphrase`, or `{ password: { … } }`.

    Raises:
        RepositoryError: with line and column.
    """
    if isinstance(node, MappingNode) and len(node.entries) == 1:
        (entry,) = node.entries
        return _parser(entry.name)(entry.value)
    if isinstance(node, Scalar) and not node.null:
        return _parser(node)(Scalar("", plain=True, at=node.at))
    raise node.at.fault(
        "'generator' must name one generator",
        "write `generator: passphrase` or `generator: { password: { length: 32 } }`",
    )


def _parser(name: Scalar) -> Callable[[Node], Generator]:
    if name.text not in PARSERS:
        near = nearest(name.text, PARSERS)
        raise name.at.fault(
            f"unknown generator {name.text!r}",
            f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(PARSERS)}",
        )
    return PARSERS[name.text]


def _password(node: Node) -> Password:
    section = closed(node, "password", OPTIONS["password"])
    signs = _signs(section)
    if section.flag("avoid-look-alikes", default=False):
        signs = "".join(sign for sign in signs if sign not in LOOK_ALIKES)
    if len(signs) < 2:  # noqa: PLR2004  # one sign alone is no choice
        raise node.at.fault("a password of fewer than two different signs", "name more of them")
    return Password(_number(section, "length", 32), signs)


def _signs(section: Section) -> str:
    own, named = section.text("signs"), section.entry("alphabet")
    if own and named:
        raise named.name.at.fault("'alphabet' beside 'signs'", "take one of the two out")
    if own:
        return "".join(dict.fromkeys(own.text))
    if named is None:
        return LETTERS_AND_DIGITS
    single = isinstance(named.value, Scalar)
    names = (as_text(named.value, "'alphabet'"),) if single else section.texts("alphabet")
    return "".join(dict.fromkeys("".join(_alphabet(name) for name in names)))


def _alphabet(name: Scalar) -> str:
    if name.text not in ALPHABETS:
        known = ", ".join(ALPHABETS)
        raise name.at.fault(
            f"unknown alphabet {name.text!r}", f"known: {known}; own ones are spelled in `signs:`"
        )
    return ALPHABETS[name.text]


def _passphrase(node: Node) -> Passphrase:
    section = closed(node, "passphrase", OPTIONS["passphrase"])
    separator = section.text("separator")
    words = _number(section, "words", 6)
    return Passphrase(words, separator.text if separator else "-")


def _length_bytes(node: Node, kind: str) -> int:
    return _number(closed(node, kind, OPTIONS[kind]), "bytes", 32)


def _ssh_ed25519(node: Node) -> SshEd25519:
    comment = closed(node, "ssh-ed25519", OPTIONS["ssh-ed25519"]).text("comment")
    return SshEd25519(comment.text if comment else "")


def _hashed_password(node: Node) -> HashedPassword:
    section = closed(node, "hashed-password", OPTIONS["hashed-password"])
    method = section.choice("method", HashMethod)
    return HashedPassword(_reference(section, "of", node), method or HashMethod.YESCRYPT)


def _htpasswd(node: Node) -> Htpasswd:
    section = closed(node, "htpasswd", OPTIONS["htpasswd"])
    users = as_mapping(section.node("of"), "'of'").entries
    if not users:
        raise node.at.fault("'htpasswd' names no user", "say `of: { USER: ADDRESS }`")
    seen = (
        (parsed(user.name, _htpasswd_user), as_text(user.value, repr(user.name.text)))
        for user in users
    )
    return Htpasswd(tuple((user, Reference(password.text)) for user, password in seen))


def _htpasswd_user(text: str) -> str:
    if not re.fullmatch(_HTPASSWD_USER, text):
        raise RepositoryError(f"{text!r} is no user of an htpasswd file", hint="leave out ':'")
    return text


def _x509(node: Node) -> X509:
    section = closed(node, "x509", OPTIONS["x509"])
    subject = section.read("subject", _common_name)
    if subject is None:
        raise node.at.fault("'x509' has no subject", "say `subject: NAME`")
    by = section.text("by")
    reference = Reference(by.text) if by else None
    if not section.flag("ca", default=False):
        names = tuple(parsed(name, _alternative_name) for name in section.names("sans"))
        days = _number(section, "days", 365)
        return X509(subject, days, names or _named_by(subject, node), reference)
    if sans := section.entry("sans"):
        raise sans.name.at.fault("'sans' of an authority, which speaks for no host", "take it out")
    days = _number(section, "days", _AUTHORITY_DAYS)
    return X509(subject, days, by=reference, authority=True)


def _named_by(subject: str, node: Node) -> tuple[str, ...]:
    """Return the subject as the only name: clients look at no common name (RFC 9525, 2)."""
    if not _is_alternative_name(subject):
        raise node.at.fault(f"the subject {subject!r} is no host's name", "say `sans: [NAME]`")
    return (subject,)


def _common_name(text: str) -> str:
    if len(text) > _COMMON_NAME:
        raise RepositoryError(f"the subject has {len(text)} characters", hint="64 at most")
    return text


def _alternative_name(text: str) -> str:
    if not _is_alternative_name(text):
        raise RepositoryError(f"{text!r} is no DNS name and no address")
    return text


def _is_alternative_name(text: str) -> bool:
    return re.fullmatch(rf"{_DNS_NAME}|{_IPV6}", text) is not None


def _command(node: Node) -> Command:
    arguments = tuple(_argument(item) for item in as_list(node, "'command'"))
    if not arguments or not arguments[0]:
        raise node.at.fault("'command' names no program", "write it like [openssl, rand, '16']")
    return Command(arguments)


def _argument(node: Node) -> str:
    if not isinstance(node, Scalar) or node.null or "\0" in node.text:
        raise node.at.fault("each of 'command' must be a string")
    return node.text


def _prompt(node: Node) -> Prompt:
    if isinstance(node, Scalar) and node.null:
        return Prompt()
    text = as_text(node, "'prompt'").text
    known = {asked.value: asked for asked in Asked}
    if text not in known:
        raise node.at.fault(f"{text!r} is no 'prompt'", f"use {' or '.join(known)}")
    return Prompt(known[text])


def _reference(section: Section, name: str, node: Node) -> Reference:
    text = section.text(name)
    if text is None:
        raise node.at.fault(f"{name!r} is missing", f"say `{name}: ADDRESS`")
    return Reference(text.text)


def _number(section: Section, name: str, default: int) -> int:
    node, most = section.node(name), MOST[name]
    if node is None:
        return default
    written = node.text if isinstance(node, Scalar) and node.plain else ""
    if not re.fullmatch(_NUMBER, written) or int(written) > most:
        raise node.at.fault(f"{name!r} must be a number from 1 to {most}")
    return int(written)


def _without_options(node: Node, kind: str, generator: Generator) -> Generator:
    if isinstance(node, Scalar) and node.null:
        return generator
    raise node.at.fault(f"{kind!r} takes nothing more", f"write `generator: {kind}`")


PARSERS: Mapping[str, Callable[[Node], Generator]] = {
    "password": _password,
    "passphrase": _passphrase,
    "hex": lambda node: Hex(_length_bytes(node, "hex")),
    "base64": lambda node: Base64(_length_bytes(node, "base64")),
    "uuid": lambda node: _without_options(node, "uuid", Uuid()),
    "restic-password": lambda node: _without_options(node, "restic-password", ResticPassword()),
    "ssh-ed25519": _ssh_ed25519,
    "wireguard": lambda node: _without_options(node, "wireguard", Wireguard()),
    "wireguard-preshared": lambda node: _without_options(
        node, "wireguard-preshared", WireguardPreshared()
    ),
    "age": lambda node: _without_options(node, "age", Age()),
    "hashed-password": _hashed_password,
    "htpasswd": _htpasswd,
    "x509": _x509,
    "command": _command,
    "prompt": _prompt,
}
