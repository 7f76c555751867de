"""Side-by-side runs of Weft and other proxies, one of them at work at a time."""
