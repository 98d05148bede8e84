{ lib, specialArgs }:
lib.nixosSystem {
  inherit specialArgs;
  modules = [ ../systems/hq/configuration.nix ];
}
