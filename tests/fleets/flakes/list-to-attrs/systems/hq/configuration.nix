{ pkgs, ... }:
{
  imports = [ ];
  networking.hostName = "hq";
}
