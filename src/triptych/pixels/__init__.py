"""Everything done on pixels: codecs, sizes, reading photographs, the low-level and registration checks."""
