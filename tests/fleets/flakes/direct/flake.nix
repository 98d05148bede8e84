{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    home-manager = {
      url = "github:nix-community/home-manager";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs = { self, nixpkgs, ... }@inputs: {
    packages.x86_64-linux.hello = "hello";
    nixosConfigurations.nixhq = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      specialArgs = { inherit inputs; };
      modules = [
        ./systems/hq/configuration.nix
        inputs.home-manager.nixosModules.home-manager
      ];
    };
    nixosConfigurations.other = nixpkgs.lib.nixosSystem { modules = [ ./shared/base.nix ]; };
  };
}
