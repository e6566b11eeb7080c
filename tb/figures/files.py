"""Names of the files in which a measuring test leaves what it found, next to its log."""

FIGURES = "figures.json"
PINS = "pins.bin"
IMAGE = "directory.bin"
