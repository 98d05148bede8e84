# A host's wiring with the least of what sops-nix's module gives it, and without nixpkgs.
# Facts of sops-nix: the options below `sops.secrets` and `sops.templates`, and where files come to.
{ wiring }:
let
  inherit (builtins)
    attrNames
    all
    elem
    mapAttrs
    pathExists
    ;
  known = names: one: all (name: elem name names) (attrNames one);
  secretOptions = [
    "format"
    "group"
    "key"
    "mode"
    "neededForUsers"
    "owner"
    "path"
    "reloadUnits"
    "restartUnits"
    "sopsFile"
  ];
  templateOptions = [
    "content"
    "group"
    "mode"
    "owner"
    "path"
    "reloadUnits"
    "restartUnits"
  ];
  secret =
    name: one:
    assert known secretOptions one;
    assert pathExists one.sopsFile;
    assert one.neededForUsers or false -> !(one ? owner || one ? group);
    {
      path = if one.neededForUsers or false then "/run/secrets-for-users/${name}" else "/run/secrets/${name}";
    }
    // one;
  template =
    name: one:
    assert known templateOptions one;
    { path = "/run/secrets/rendered/${name}"; } // one;
  # The wiring is the only module here, so that a default is what counts.
  lib.mkDefault = value: value;
  given = import wiring { inherit config lib; };
  config = given // {
    sops = given.sops // {
      secrets = mapAttrs secret (given.sops.secrets or { });
      templates = mapAttrs template (given.sops.templates or { });
      placeholder = mapAttrs (name: _: "<${name}>") (given.sops.secrets or { });
    };
  };
  shown = mapAttrs (_: one: removeAttrs one [ "sopsFile" ]);
in
removeAttrs config [ "sops" ]
// {
  secrets = shown config.sops.secrets;
  templates = config.sops.templates;
}
