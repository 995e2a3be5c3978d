"""What a person reads of a model: tables on the terminal, files of numbers, pictures, one HTML page."""
