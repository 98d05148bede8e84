{
  imports = [ <sops-nix/modules/sops> ];
}
