{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { nixpkgs, self, ... }@inputs: {
    nixosConfigurations = nixpkgs.lib.genAttrs [ "hq" "t460" ] (
      name:
      nixpkgs.lib.nixosSystem {
        modules = [ ./systems/${name}/configuration.nix ];
      }
    );
  };
}
