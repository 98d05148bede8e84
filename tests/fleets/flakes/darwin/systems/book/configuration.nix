{ pkgs, ... }:
{
  imports = [ ];
  networking.hostName = "book";
}
