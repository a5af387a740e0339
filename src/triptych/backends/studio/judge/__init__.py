"""The studio's judges: pictures and words in, scores out. Nothing here may know what the studio knows."""
