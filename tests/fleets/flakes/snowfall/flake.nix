{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs";
    snowfall-lib.url = "github:snowfallorg/lib";
    home-manager.url = "github:nix-community/home-manager";
  };

  outputs = inputs:
    inputs.snowfall-lib.mkFlake {
      inherit inputs;
      src = ./.;

      systems.modules.nixos = with inputs; [
        home-manager.nixosModules.home-manager
      ];
    };
}
