{
  programs.git = {
    enable = true;
    userName = "miscguy";
  };

  home.stateVersion = "25.05";
}
