{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { self, nixpkgs }: {
    nixosConfigurations = {
      nixhq = nixpkgs.lib.nixosSystem { modules = [ ./systems/hq/configuration.nix ]; };
      nixt460 = nixpkgs.lib.nixosSystem { modules = [ ./systems/t460/configuration.nix ]; };
    };
  };
}
