"""More triplets from those that were accepted: inversion and composition."""
