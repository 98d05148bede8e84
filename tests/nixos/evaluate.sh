#!/usr/bin/env bash
# The wiring that recipes give the reference fleet, under the real sops-nix module.
#   SOPS_NIX     a checkout of sops-nix
#   NIXPKGS_LIB  a checkout of nixpkgs' lib (a folder that has `lib/`)
# Prints what each host is given; ends with 1 where it does not evaluate or an assertion fails, with
# 77 where the checkouts are not said.
set -euo pipefail
if [ -z "${SOPS_NIX:-}" ] || [ -z "${NIXPKGS_LIB:-}" ]; then
  echo "skipped: SOPS_NIX and NIXPKGS_LIB name no checkouts" >&2
  exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work NIX_STATE_DIR=$work/nix NIX_REMOTE='' PYTHONPATH=$project
unset SOPS_AGE_KEY SOPS_AGE_KEY_CMD SOPS_AGE_SSH_PRIVATE_KEY_FILE
export SOPS_AGE_KEY_FILE=$project/tests/reference/admin-identity.txt
nixsecrets=("${PYTHON:-python3}" -m nixsecrets)

fleet=$work/fleet
mkdir "$fleet"
cp -r "$project"/{.sops.yaml,flake.nix,keys,nixsecrets.yaml,shared,systems} "$fleet"
cd "$fleet"

# What is declared by hand there goes, so that the recipes bring it.
"${PYTHON:-python3}" - <<'END'
import re
from pathlib import Path

file = Path("nixsecrets.yaml")
text = re.sub(r"(?m)^secrets:\n( .*\n|\n)*", "", file.read_text())
file.write_text(text)
END
"${nixsecrets[@]}" rm nextcloud/admin-password --file systems/hq/secrets.yaml --yes >/dev/null
"${nixsecrets[@]}" rm miscguy/hashed-password --file shared/secrets.yaml --yes >/dev/null
"${nixsecrets[@]}" wire --yes >/dev/null

# What a recipe leaves to a person is a note of its plan: here it becomes a module.
add() {
  "${nixsecrets[@]}" add "$@" --yes --json | "${PYTHON:-python3}" -c '
import json, sys
notes = json.load(sys.stdin)["notes"]
lines = [note.partition(":\n")[2] for note in notes if note.startswith("the rest is yours")]
print("{ config, pkgs, ... }:\n{\n" + "\n".join(lines) + "\n}")' >"$work/$1.nix"
}
add nextcloud --host hq
add nextcloud-backup --host hq
add user-password --for miscguy --shared
printf 'ghp_example\n' >"$work/token"
add nix-access-token --shared --value-from nix/github-token="$work/token"

status=0
for host in hq t460 vm01; do
  modules=("$fleet/systems/$host/secrets.nix" "$work/nix-access-token.nix")
  [ "$host" != hq ] || modules+=("$work/nextcloud.nix" "$work/nextcloud-backup.nix")
  json=$("${PYTHON:-python3}" -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "${modules[@]}")
  nix-instantiate --eval --strict --json --readonly-mode "$here/evaluate.nix" \
    --argstr sopsNix "$(realpath "$SOPS_NIX")" --argstr nixpkgsLib "$(realpath "$NIXPKGS_LIB")" \
    --argstr modules "$json" --argstr optionsFile "$project/tests/recipes/options.json" \
    >"$work/$host.json" || { echo "$host: does not evaluate" >&2; status=1; continue; }
  "${PYTHON:-python3}" - "$host" "$work/$host.json" <<'END' || status=1
import json, sys
from pathlib import Path

host, file = sys.argv[1:]
found = json.loads(Path(file).read_text().replace(str(Path(file).parent), ""))
print(host, json.dumps(found, indent=2))
sys.exit(1 if found["failed"] else 0)
END
done
exit "$status"
