{ pkgs, ... }:
{
  imports = [ ];
  networking.hostName = "t15g";
}
