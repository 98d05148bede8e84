"""The `sops` part of a document: readers, selection rule, MAC (sops `stores/stores.go`)."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from nixsecrets.age.keywrap import Stanza
from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.rules import Selection, SelectionKind, parse_selection

Value = str | int | float | bool | None | tuple["Value", ...] | Mapping[str, "Value"]

VERSION = "3.13.3"
"""What new documents carry: older sops leaves it alone, newer raises it on `edit`."""

_FOREIGN_LISTS = ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms")
_SELECTION_FIELDS = tuple(kind.value for kind in SelectionKind)
_EVERYWHERE = ("lastmodified", "mac", "version")
_KNOWN = frozenset(
    {
        *_EVERYWHERE,
        *_FOREIGN_LISTS,
        *_SELECTION_FIELDS,
        "age",
        "key_groups",
        "shamir_threshold",
        "mac_only_encrypted",
    }
)
_NO_FIELDS: Mapping[str, Value] = MappingProxyType({})
_VERSION = re.compile(r"\d+\.\d+\.\d+.*", re.ASCII)


class KeyGroup(NamedTuple):
    """Those of whom each can open the data key, or their group's share of it.

    Args:
        stanzas: what is wrapped to each age recipient, in file order.
        others: every further field as it stands, the entries of other services among them.
        entries: the `age` entries as they stand, fields that are not known included.
    """

    stanzas: tuple[Stanza, ...]
    others: Mapping[str, Value] = _NO_FIELDS
    entries: tuple[Mapping[str, Value], ...] = ()

    @property
    def foreign_services(self) -> tuple[str, ...]:
        """Names of the services other than age that open it too."""
        return tuple(name for name in _FOREIGN_LISTS if self.others.get(name))


class Metadata(NamedTuple):
    """What a document says of itself.

    Args:
        groups: one at least; of several, each holds a share of the data key (Shamir).
        selection: which leaves are encrypted.
        mac_only_encrypted: values in clear are no part of the MAC.
        lastmodified: RFC 3339 instant as it stands.
        mac: the sealed MAC as it stands; it may be empty.
        threshold: how many shares are needed, as it stands; 0: it does not say.
        version: of the sops that wrote it, `a.b.c`.
        others: every further field as it stands.
        order: names of all fields in file order.
    """

    groups: tuple[KeyGroup, ...]
    selection: Selection
    mac_only_encrypted: bool
    lastmodified: str
    mac: str
    threshold: int = 0
    version: str = VERSION
    others: Mapping[str, Value] = _NO_FIELDS
    order: tuple[str, ...] = ()

    @property
    def stanzas(self) -> tuple[Stanza, ...]:
        """Those of all groups, in file order."""
        return tuple(stanza for group in self.groups for stanza in group.stanzas)

    @property
    def foreign_services(self) -> tuple[str, ...]:
        """Names of the services other than age that hold the data key, or a share of it, too."""
        named = {name for group in self.groups for name in group.foreign_services}
        return tuple(name for name in _FOREIGN_LISTS if name in named)

    def stamped(self, now: datetime) -> "Metadata":
        return self._replace(lastmodified=now.strftime("%Y-%m-%dT%H:%M:%SZ"))


def parse_metadata(fields: Mapping[str, Value]) -> Metadata:
    """Read the fields below `sops`; unknown ones are kept as they are.

    Raises:
        RepositoryError: a field has a shape that sops does not write.
        IntegrityError: a field that every document has is missing.
    """
    for name in _EVERYWHERE:
        if name not in fields:
            raise IntegrityError(f"`{name}` is missing in the sops metadata: it was cut off")
    selection = parse_selection(
        {name: _text(fields, name) for name in _SELECTION_FIELDS if fields.get(name)}
    )
    version = _text(fields, "version")
    if not _VERSION.fullmatch(version):
        raise RepositoryError(f"`version` of the sops metadata is {version!r}, not a.b.c")
    return Metadata(
        groups=_groups(fields),
        selection=selection,
        mac_only_encrypted=fields.get("mac_only_encrypted") in (True, "true"),
        lastmodified=_text(fields, "lastmodified"),
        mac=_text(fields, "mac"),
        threshold=_threshold(fields.get("shamir_threshold")),
        version=version,
        others={name: value for name, value in fields.items() if name not in _KNOWN},
        order=tuple(fields),
    )


def metadata_fields(metadata: Metadata) -> Mapping[str, Value]:
    """Return the fields as they are written: in the order of the file, new ones sorted behind.

    A single group stands flat among the other fields (sops `stores.go`, `MetadataFromInternal`).
    """
    fields = {**metadata.others, **_group_fields(metadata)}
    if metadata.threshold:
        fields["shamir_threshold"] = metadata.threshold
    fields["lastmodified"] = metadata.lastmodified
    fields["mac"] = metadata.mac
    if metadata.selection.kind.value in metadata.order or not metadata.order:
        fields[metadata.selection.kind.value] = metadata.selection.text
    if metadata.mac_only_encrypted:
        fields["mac_only_encrypted"] = True
    fields["version"] = metadata.version
    known = [name for name in metadata.order if name in fields]
    return {name: fields[name] for name in (*known, *sorted(fields.keys() - set(known)))}


def _groups(fields: Mapping[str, Value]) -> tuple[KeyGroup, ...]:
    """Return the key groups; flat lists win over `key_groups`, as they do for sops."""
    flat = {name: fields[name] for name in ("age", *_FOREIGN_LISTS) if name in fields}
    nested = fields.get("key_groups") or ()
    if not isinstance(nested, tuple):
        raise RepositoryError("`key_groups` of the sops metadata is no list")
    if not nested or any(flat.values()):
        return (_group(flat),)
    return tuple(_group(group) for group in nested)


def _group(fields: Value) -> KeyGroup:
    if not isinstance(fields, Mapping):
        raise RepositoryError("a key group of the sops metadata is no mapping")
    entries = fields.get("age") or ()
    if not isinstance(entries, tuple):
        raise RepositoryError("`age` of the sops metadata is no list")
    others = {name: value for name, value in fields.items() if name != "age"}
    kept = tuple(entry for entry in entries if isinstance(entry, Mapping))
    return KeyGroup(tuple(_stanza(entry) for entry in entries), others, kept)


def _stanza(entry: Value) -> Stanza:
    if isinstance(entry, Mapping):
        recipient, enc = entry.get("recipient"), entry.get("enc")
        if isinstance(recipient, str) and isinstance(enc, str):
            return Stanza(recipient, enc)
    raise RepositoryError("an entry of `age` in the sops metadata lacks `recipient` or `enc`")


def _group_fields(metadata: Metadata) -> Mapping[str, Value]:
    if len(metadata.groups) != 1:
        return {"key_groups": tuple(_nested(group) for group in metadata.groups)}
    alone = metadata.groups[0]
    stated = {
        name: value
        for name, value in alone.others.items()
        if name in _FOREIGN_LISTS and (value or name in metadata.order)
    }
    return stated | ({"age": _entries(alone)} if alone.stanzas else {})


def _nested(group: KeyGroup) -> Mapping[str, Value]:
    """Return one of several groups; sops writes these two lists even where they are empty."""
    fields: dict[str, Value] = {"hc_vault": (), **group.others, "age": _entries(group)}
    return {name: fields[name] for name in sorted(fields)}


def _entries(group: KeyGroup) -> tuple[Mapping[str, Value], ...]:
    """Return an `age` entry for each stanza: the one that it had, or one of what is known."""
    entries: list[Mapping[str, Value]] = []
    for stanza in group.stanzas:
        known = {"recipient": stanza.recipient, "enc": stanza.enc}
        same = (entry for entry in group.entries if known.items() <= entry.items())
        entries.append(next(same, known))
    return tuple(entries)


def _threshold(value: Value) -> int:
    """Return a threshold; flat formats once had it as a float."""
    match value:
        case None:
            return 0
        case int() | float() if not isinstance(value, bool) and value >= 0 and value % 1 == 0:
            return int(value)
        case _:
            raise RepositoryError("`shamir_threshold` of the sops metadata is no whole number")


def _text(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise RepositoryError(f"`{name}` of the sops metadata is no text")
    return value
