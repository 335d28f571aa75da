"""One self-contained HTML page about a store: what is in it, and how it looks."""
