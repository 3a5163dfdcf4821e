"""Layer 7: the command line. Each command is a module here and an entry in `main.COMMANDS`."""
