"""Layer 7: the command line. A command is one module here and one line in `main.COMMANDS`."""
