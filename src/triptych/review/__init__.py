"""The review page: look at a run, compare, rate and spot-check it in a browser. Needs `triptych[review]`."""
