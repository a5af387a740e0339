"""Facts in, queries out: the only place that knows tables."""
