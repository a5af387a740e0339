"""Models behind the five roles, one module or package each; wired by name in the command line."""
