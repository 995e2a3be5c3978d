"""What a model comes to on the report split: measurements, none of which decides anything."""
