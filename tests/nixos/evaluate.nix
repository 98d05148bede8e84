# A host's wiring under the real sops-nix module and the real module system, as JSON.
#   sopsNix, nixpkgsLib : checkouts
#   modules             : JSON list of files: the wiring, and what a person wrote beside it
#   optionsFile         : tests/recipes/options.json; consumers are held against their types
{
  sopsNix,
  nixpkgsLib,
  modules,
  optionsFile,
}:
let
  lib = import (/. + "${nixpkgsLib}/lib");
  inherit (lib) mkOption types;
  any = types.anything;
  option = type: default: mkOption { inherit type default; };

  rows = lib.importJSON (/. + optionsFile);
  typeOf =
    text:
    {
      "str" = types.nullOr types.str;
      "nullOr str" = types.nullOr types.str;
      "path" = types.nullOr types.path;
      "nullOr path" = types.nullOr types.path;
    }
    .${text} or (types.nullOr any);
  # `<name>` in a path is any attribute, below which the rest stands.
  declare =
    type: names:
    if names == [ ] then
      option type null
    else if lib.head names == "<name>" then
      mkOption {
        type =
          if lib.tail names == [ ] then
            types.attrsOf type
          else
            types.attrsOf (types.submodule { options = declare type (lib.tail names); });
      }
    else
      { ${lib.head names} = declare type (lib.tail names); };
  # Where several rows share a `<name>` none of them can have the default.
  empty =
    path:
    let
      above = lib.head (lib.splitString ".<name>" path);
    in
    lib.optionalAttrs (above != path) (
      lib.setAttrByPath (lib.splitString "." above) (lib.mkOptionDefault { })
    );
  declared = map (
    row: {
      options = declare (typeOf row.type) (lib.splitString "." row.option);
      config = empty row.option;
    }
  ) (
    lib.filter (row: !lib.hasPrefix "users." row.option && !lib.hasPrefix "systemd." row.option) rows
  );

  fake =
    name: text:
    {
      type = "derivation";
      inherit name text;
      outPath = "${builtins.storeDir}/${builtins.substring 0 32 (builtins.hashString "sha256" (name + text))}-${name}";
    };
  pkgs = lib.genAttrs [ "age" "gnupg" "sops-install-secrets" "util-linux" ] (name: fake name "") // {
    inherit lib;
    callPackage = lib.callPackageWith pkgs;
    stdenv = {
      hostPlatform.system = "x86_64-linux";
      buildPlatform.system = "x86_64-linux";
    };
    writeTextFile = { name, text, ... }: fake name text;
    writeText = fake;
  };

  # What sops-nix's module reads and writes of NixOS.
  nixos = {
    options = {
      assertions = option (types.listOf types.raw) [ ];
      warnings = option (types.listOf types.str) [ ];
      users.users = option (types.attrsOf (
        types.submodule {
          options.group = option types.str "users";
          options.uid = option (types.nullOr types.int) null;
          options.hashedPasswordFile = option (types.nullOr types.str) null;
        }
      )) { };
      users.mutableUsers = option types.bool true;
      services.openssh.enable = option types.bool true;
      services.openssh.hostKeys = option (types.listOf any) [
        {
          type = "ed25519";
          path = "/etc/ssh/ssh_host_ed25519_key";
        }
      ];
      services.userborn.enable = option types.bool false;
      systemd.sysusers.enable = option types.bool false;
      systemd.services = option (types.attrsOf any) { };
      system.activationScripts = option (types.attrsOf any) { };
      system.build = option (types.lazyAttrsOf types.raw) { };
      environment = option (types.attrsOf any) { };
      # What the reference fleet's own modules set, and recipes read.
      services.nextcloud.datadir = option types.str "/var/lib/nextcloud";
      services.postgresql.package = option any (fake "postgresql" "");
    };
    config = {
      _module.args.pkgs = pkgs;
      sops.package = pkgs.sops-install-secrets;
      sops.validationPackage = pkgs.sops-install-secrets;
      users.users = {
        root = { };
        nextcloud.group = "nextcloud";
      };
    };
  };

  evaluated = lib.evalModules {
    class = "nixos";
    modules = [
      nixos
      (/. + "${sopsNix}/modules/sops")
    ]
    ++ declared
    ++ map (file: /. + file) (builtins.fromJSON modules);
  };
  inherit (evaluated) config;
  text = value: builtins.unsafeDiscardStringContext (toString value);
  manifest =
    drv: builtins.fromJSON (builtins.unsafeDiscardStringContext drv.text);
in
{
  failed = map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);
  secrets = lib.mapAttrs (_: one: {
    inherit (one)
      path
      owner
      group
      mode
      neededForUsers
      restartUnits
      ;
    sopsFile = text one.sopsFile;
  }) config.sops.secrets;
  templates = lib.mapAttrs (_: one: {
    inherit (one)
      path
      owner
      group
      mode
      restartUnits
      ;
    content = text one.content;
  }) config.sops.templates;
  delivered = map (one: one.name) (manifest config.system.build.sops-nix-manifest).secrets;
  beforeUsers = map (one: one.name) (manifest config.system.build.sops-nix-users-manifest).secrets;
  consumers = {
    adminpassFile = config.services.nextcloud.config.adminpassFile;
    passwordFiles = lib.mapAttrs (_: one: one.passwordFile) config.services.restic.backups;
    hashedPasswordFiles = lib.filterAttrs (_: file: file != null) (
      lib.mapAttrs (_: one: one.hashedPasswordFile) config.users.users
    );
    nixConf = config.nix.extraOptions;
  };
}
