"""The embedded world: a renderer with known truth that stands in for painter, editor, writer and judge."""
