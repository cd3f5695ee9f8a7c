"""Charts as numbers: scales, ticks and points in pixels. Templates draw them as SVG."""
