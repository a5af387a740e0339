"""What each command is given: cheap to import, so that `--help` is; the work is imported when it begins."""
