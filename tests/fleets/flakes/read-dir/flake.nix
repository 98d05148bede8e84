{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { nixpkgs, ... }@inputs: {
    nixosConfigurations = builtins.mapAttrs (
      name: _: nixpkgs.lib.nixosSystem { modules = [ ./systems/${name}/configuration.nix ]; }
    ) (builtins.readDir ./systems);
  };
}
