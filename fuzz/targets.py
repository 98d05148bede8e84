"""Every target by its name, which is also that of its folders of seeds and regressions."""

from collections.abc import Mapping

from fuzz import documents, keys, settings, stores
from fuzz.claims import Target

TARGETS: Mapping[str, Target] = {
    "yaml": documents.yaml_document,
    "json": documents.json_document,
    "json-text": stores.json_document,
    "dotenv": documents.dotenv_document,
    "dotenv-text": stores.dotenv_document,
    "ini": documents.ini_document,
    "ini-text": stores.ini_document,
    "binary": documents.binary_document,
    "binary-text": stores.binary_document,
    "metadata": documents.metadata,
    "flat": documents.flat_names,
    "enc": documents.enc,
    "bech32": keys.bech32_text,
    "recipients": keys.recipients,
    "identities": keys.identities,
    "ssh-public": keys.ssh_public,
    "ssh-private": keys.ssh_private,
    "ssh-structure": keys.ssh_structure,
    "armor": keys.armored_message,
    "message": keys.message_header,
    "hybrid": keys.hybrid_half,
    "policy": settings.policy,
    "manifest": settings.manifest,
    "selection": settings.selection,
    "key-path": settings.key_path,
    "nix": settings.nix,
}
