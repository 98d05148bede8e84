# The manifests that sops-nix's module makes of a host's wiring, without nixpkgs.
# Source: sops-nix, modules/sops (default.nix, manifest-for.nix, templates, secrets-for-users).
#   groups  : the group of each user that the machine's modules declare
#   hostKey : services.openssh.hostKeys, the one of them that is ed25519
{
  wiring,
  groups,
  hostKey,
}:
let
  inherit (builtins)
    attrValues
    filter
    hashString
    mapAttrs
    ;
  # The wiring is the only module here, so that a default is what counts.
  lib.mkDefault = value: value;
  config = import wiring { inherit config lib; } // {
    sops = given // {
      inherit placeholder secrets templates;
    };
  };
  given = (import wiring { inherit config lib; }).sops;
  placeholder = mapAttrs (name: _: "<SOPS:${hashString "sha256" name}:PLACEHOLDER>") secrets;
  owned = one: {
    mode = "0400";
    owner = null;
    group = if one.owner or null == null then null else groups.${one.owner};
    uid = 0;
    gid = 0;
  };
  secrets = mapAttrs (
    name: one:
    {
      inherit name;
      key = name;
      path = "/run/secrets${if one.neededForUsers or false then "-for-users" else ""}/${name}";
      format = "yaml";
      neededForUsers = false;
    }
    // owned one
    // one
    // {
      sopsFile = toString one.sopsFile;
    }
  ) (given.secrets or { });
  templates = mapAttrs (
    name: one:
    {
      inherit name;
      path = "/run/secrets/rendered/${name}";
    }
    // owned one
    // one
  ) (given.templates or { });
  manifest = forUsers: suffix: {
    secrets = filter (one: one.neededForUsers == forUsers) (attrValues secrets);
    templates = if forUsers then [ ] else attrValues templates;
    secretsMountPoint = "/run/secrets${suffix}.d";
    symlinkPath = "/run/secrets${suffix}";
    keepGenerations = 1;
    gnupgHome = null;
    sshKeyPaths = given.gnupg.sshKeyPaths or [ ];
    ageKeyFile = given.age.keyFile or null;
    ageSshKeyPaths = given.age.sshKeyPaths or [ hostKey ];
    useTmpfs = false;
    placeholderBySecretName = if templates == { } then { } else placeholder;
    userMode = false;
    logging = {
      keyImport = true;
      secretChanges = true;
    };
  };
in
{
  "manifest.json" = manifest false "";
  "manifest-for-users.json" = manifest true "-for-users";
}
