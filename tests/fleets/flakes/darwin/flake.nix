{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  inputs.nix-darwin.url = "github:nix-darwin/nix-darwin";
  outputs = { nix-darwin, nixpkgs, ... }@inputs: {
    darwinConfigurations.book = nix-darwin.lib.darwinSystem {
      modules = [ ./systems/book/configuration.nix ];
    };
    nixosConfigurations.hq = nixpkgs.lib.nixosSystem {
      modules = [ ./systems/hq/configuration.nix ];
    };
  };
}
