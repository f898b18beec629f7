"""The command line: a module for each command, named in `main.COMMANDS`, and loaded when the command is run."""
