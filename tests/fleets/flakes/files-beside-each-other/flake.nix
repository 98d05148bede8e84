{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = inputs: {
    nixosConfigurations = inputs.nixpkgs.lib.genAttrs [ "hq" "t460" ] (
      name: inputs.nixpkgs.lib.nixosSystem { modules = [ ./hosts/${name}.nix ]; }
    );
  };
}
