"""A repository whose owner has used sops-nix for years, before the tool was there."""

import os
import shutil

from tests.cli.openers import of_machine, of_person, recipient_of
from tests.cli.scenes import Scene
from tests.tools import require_sops

POLICY = """\
# who is who
keys:
  - &miscguy {miscguy}
  - &ann {ann}
  - &host_hq {hq}
  - &host_t460 {t460}  # the old one

creation_rules:
  - path_regex: secrets/hq\\.yaml$
    key_groups:
    - age:
      - *miscguy
      - *host_hq
  - path_regex: secrets/t460\\.yaml$
    key_groups:
    - age:
      - *miscguy
      - *host_t460
  # for all of the house
  - path_regex: secrets/[^/]+\\.yaml$
    key_groups:
    - age:
      - *miscguy
      - *ann
      - *host_hq
      - *host_t460
"""
DOCUMENTS = {
    "secrets/hq.yaml": "nextcloud:\n    admin-password: of the cloud\n",
    "secrets/t460.yaml": "restic:\n    password: of the old one\n",
    "secrets/common.yaml": "wifi:\n    psk: of the house\n",
}


def make_adopted(bare: Scene) -> Scene:
    """Make the policy by hand and the documents by the real sops; miscguy's identity is found.

    An identity called desk is there too, for a change of miscguy's.
    """
    people = {name: of_person(bare, name) for name in ("miscguy", "ann")}
    machines = {name: of_machine(bare, name) for name in ("hq", "t460")}
    recipients = {name: recipient_of(file) for name, file in (people | machines).items()}
    bare.identity_file.parent.mkdir(parents=True)
    shutil.copy(people["miscguy"], bare.identity_file)
    for name in ("miscguy", "desk"):
        public = recipient_of(people.get(name) or of_person(bare, name))
        (bare.folder / f"{name}.pub").write_text(f"{public}\n")
    bare.write(".sops.yaml", POLICY.format(**recipients))
    for path, text in DOCUMENTS.items():
        bare.write(path, text)
        ended = bare.start(os.fspath(require_sops()), "encrypt", "--in-place", path)
        assert ended.status == 0, ended
    bare.commit()
    return bare
