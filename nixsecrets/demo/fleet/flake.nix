{
  description = "Reference fleet of nixsecrets";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    home-manager = {
      url = "github:nix-community/home-manager";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    { nixpkgs, home-manager, ... }@inputs:
    {
      nixosConfigurations = {
        nixhq = nixpkgs.lib.nixosSystem {
          system = "x86_64-linux";
          specialArgs = { inherit inputs; };
          modules = [
            ./systems/hq/configuration.nix
            home-manager.nixosModules.home-manager
          ];
        };

        nixt460 = nixpkgs.lib.nixosSystem {
          system = "x86_64-linux";
          specialArgs = { inherit inputs; };
          modules = [
            ./systems/t460/configuration.nix
            home-manager.nixosModules.home-manager
          ];
        };

        nixt15g = nixpkgs.lib.nixosSystem {
          system = "x86_64-linux";
          specialArgs = { inherit inputs; };
          modules = [
            ./systems/t15g/configuration.nix
            home-manager.nixosModules.home-manager
          ];
        };
      };
    };
}
