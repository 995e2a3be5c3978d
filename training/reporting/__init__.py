"""Reports on a model: tables for the terminal, JSON files, pictures and one HTML page."""
