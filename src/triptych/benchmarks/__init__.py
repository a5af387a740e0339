"""Published benchmarks, run as their own code runs them."""
