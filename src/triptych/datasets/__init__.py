"""What leaves a run: exports and reports."""
