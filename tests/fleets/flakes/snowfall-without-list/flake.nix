{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  inputs.snowfall-lib.url = "github:snowfallorg/lib";
  outputs = inputs:
    let
      lib = inputs.snowfall-lib.mkLib {
        inherit inputs;
        src = ./.;
      };
    in
    lib.mkFlake {
      src = ./.;
      channels-config.allowUnfree = true;
    };
}
