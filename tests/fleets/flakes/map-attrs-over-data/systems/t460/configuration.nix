{ pkgs, ... }:
{
  imports = [ ];
  networking.hostName = "t460";
}
