"""What `make sim`, `make serve` and the replay share: options, errors, exit statuses, display."""
