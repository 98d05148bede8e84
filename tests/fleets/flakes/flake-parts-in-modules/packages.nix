{ ... }: { flake.greeting = "hello"; }
