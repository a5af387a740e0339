"""Data sets out of runs: layouts that trainers read, and the gallery that people look at."""
