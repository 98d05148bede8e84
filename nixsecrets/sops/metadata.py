"""The `sops` part of a document: readers, selection rule, MAC (sops `stores/stores.go`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from nixsecrets.age.keywrap import Stanza
from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.rules import Selection, SelectionKind, parse_selection

Value = str | int | float | bool | None | tuple["Value", ...] | Mapping[str, "Value"]

VERSION = "3.13.3"
"""What new documents carry: older sops leaves it alone, newer raises it on `edit`."""

_FOREIGN_LISTS = ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms")
_SELECTION_FIELDS = tuple(kind.value for kind in SelectionKind)
_EVERYWHERE = ("lastmodified", "mac", "version")
_VERSION = re.compile(r"\d+\.\d+\.\d+.*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a document says of itself.

    Args:
        stanzas: the data key wrapped to each age recipient, in file order.
        selection: which leaves are encrypted.
        mac_only_encrypted: values in clear are no part of the MAC.
        lastmodified: RFC 3339 instant as it stands.
        mac: the sealed MAC as it stands; it may be empty.
        version: of the sops that wrote it, `a.b.c`.
        others: every further field as it stands (key entries of other services among them).
        order: names of all fields in file order.
    """

    stanzas: tuple[Stanza, ...]
    selection: Selection
    mac_only_encrypted: bool
    lastmodified: str
    mac: str
    version: str = VERSION
    others: Mapping[str, Value] | None = None
    order: tuple[str, ...] = ()

    @property
    def foreign_services(self) -> tuple[str, ...]:
        """Names of the services other than age that hold the data key too."""
        return tuple(name for name in _FOREIGN_LISTS if (self.others or {}).get(name))

    def stamped(self, now: datetime) -> "Metadata":
        return replace(self, lastmodified=now.strftime("%Y-%m-%dT%H:%M:%SZ"))


def parse_metadata(fields: Mapping[str, Value]) -> Metadata:
    """Read the fields below `sops`; unknown ones are kept as they are.

    Raises:
        RepositoryError: a field has a shape that sops does not write, or the data key is split
            over several groups (Shamir), which is not supported yet.
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
    fields = _flattened(fields)
    known = ("age", "lastmodified", "mac", "version", "mac_only_encrypted", *_SELECTION_FIELDS)
    others = {name: value for name, value in fields.items() if name not in known}
    return Metadata(
        stanzas=_stanzas(fields.get("age")),
        selection=selection,
        mac_only_encrypted=fields.get("mac_only_encrypted") in (True, "true"),
        lastmodified=_text(fields, "lastmodified"),
        mac=_text(fields, "mac"),
        version=version,
        others=others,
        order=tuple(fields),
    )


def metadata_fields(metadata: Metadata) -> Mapping[str, Value]:
    """Return the fields as they are written: in the order of the file, new ones sorted behind."""
    fields: dict[str, Value] = dict(metadata.others or {})
    if metadata.stanzas:
        fields["age"] = tuple(
            {"recipient": stanza.recipient, "enc": stanza.enc} for stanza in metadata.stanzas
        )
    fields["lastmodified"] = metadata.lastmodified
    fields["mac"] = metadata.mac
    if metadata.selection.kind.value in metadata.order or not metadata.order:
        fields[metadata.selection.kind.value] = metadata.selection.text
    if metadata.mac_only_encrypted:
        fields["mac_only_encrypted"] = True
    fields["version"] = metadata.version
    known = [name for name in metadata.order if name in fields]
    return {name: fields[name] for name in (*known, *sorted(fields.keys() - set(known)))}


def _flattened(fields: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the fields with a single key group's lists beside them, as sops rewrites them."""
    groups = fields.get("key_groups") or ()
    if not isinstance(groups, tuple):
        raise RepositoryError("`key_groups` of the sops metadata is no list")
    if any(fields.get(name) for name in ("age", *_FOREIGN_LISTS)):
        return fields
    if len(groups) > 1:
        raise RepositoryError(
            "its data key is split over several key groups (Shamir), which is not supported yet"
        )
    flat = {name: value for name, value in fields.items() if name != "key_groups"}
    group = groups[0] if groups else {}
    if not isinstance(group, Mapping):
        raise RepositoryError("a key group of the sops metadata is no mapping")
    return flat | {name: value for name, value in group.items() if value}


def _stanzas(entries: Value) -> tuple[Stanza, ...]:
    if entries is None:
        return ()
    if not isinstance(entries, tuple):
        raise RepositoryError("`age` of the sops metadata is no list")
    return tuple(_stanza(entry) for entry in entries)


def _stanza(entry: Value) -> Stanza:
    if isinstance(entry, Mapping):
        recipient, enc = entry.get("recipient"), entry.get("enc")
        if isinstance(recipient, str) and isinstance(enc, str):
            return Stanza(recipient, enc)
    raise RepositoryError("an entry of `age` in the sops metadata lacks `recipient` or `enc`")


def _text(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise RepositoryError(f"`{name}` of the sops metadata is no text")
    return value
