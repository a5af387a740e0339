"""The loop: what to do next, how one job is done, what is selected."""
