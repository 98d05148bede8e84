{ inputs, nixpkgs }:
name:
{ user }:
nixpkgs.lib.nixosSystem rec {
  specialArgs = { inherit inputs user; };
  modules = [
    ../systems/${name}/configuration.nix
    { networking.hostName = name; }
  ];
}
