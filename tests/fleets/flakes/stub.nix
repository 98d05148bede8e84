# Stands for the inputs of a flake: what their functions are given comes out again.
root:
let
  flake = import (root + "/flake.nix");
  shown =
    module:
    if builtins.isPath module || builtins.isString module then
      builtins.replaceStrings [ (toString root) ] [ "." ] (toString module)
    else if builtins.isFunction module then
      "a function"
    else
      removeAttrs module [ "imports" ];
  below =
    args: module:
    let
      read = if builtins.isAttrs module || builtins.isFunction module then module else import module;
      usual = {
        config.sops.secrets = { };
        pkgs = { };
        inherit lib;
      };
      set = if builtins.isFunction read then read (usual // args) else read;
    in
    [ (shown module) ] ++ builtins.concatMap (below args) (set.imports or [ ]);
  reached = args: modules: builtins.concatMap (below args) modules;
  system = args: {
    given = removeAttrs args [
      "modules"
      "specialArgs"
    ];
    modules = reached (args.specialArgs or { }) args.modules;
  };
  lib = {
    mkDefault = value: value;
    nixosSystem = system;
    darwinSystem = system;
    mapAttrs = builtins.mapAttrs;
    genAttrs =
      names: f:
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = f name;
        }) names
      );
  };
  module = name: { _file = name; };
  merged = parts: builtins.foldl' (all: part: all // part) { } parts;
  parts =
    args: given:
    let
      read = if builtins.isPath given then import given else given;
      set = if builtins.isFunction read then read args else read;
    in
    [ (set.flake or { }) ] ++ builtins.concatMap (parts args) (set.imports or [ ]);
  snowfall = args: {
    nixosConfigurations = builtins.mapAttrs (
      name: _:
      system {
        modules =
          (args.systems.modules.nixos or [ ]) ++ [ (args.src + "/systems/x86_64-linux/${name}") ];
      }
    ) (builtins.readDir (args.src + "/systems/x86_64-linux"));
  };
  every = {
    nixpkgs = { inherit lib; };
    nix-darwin = { inherit lib; };
    home-manager.nixosModules.home-manager = module "home-manager";
    flake-parts.lib.mkFlake =
      args: given: merged (parts { inherit (args) inputs; inherit self; } given);
    snowfall-lib = {
      mkFlake = snowfall;
      mkLib = _: { mkFlake = snowfall; };
    };
    colmena.lib.makeHive = hive: hive;
    sops-nix = {
      nixosModules.sops = module "sops-nix for NixOS";
      darwinModules.sops = module "sops-nix for nix-darwin";
    };
  };
  inputs = builtins.intersectAttrs flake.inputs every // {
    inherit self;
  };
  self = outputs // {
    outPath = toString root;
    inherit inputs;
  };
  outputs = flake.outputs inputs;
  node =
    hive: name: value:
    reached ((hive.meta.specialArgs or { }) // { inherit name; nodes = { }; }) [
      (hive.defaults or { })
      value
    ];
  nodes =
    hive:
    builtins.mapAttrs (node hive) (
      removeAttrs hive [
        "meta"
        "defaults"
      ]
    );
in
outputs
// {
  colmena = nodes (outputs.colmena or { });
  colmenaHive = nodes (outputs.colmenaHive or { });
}
