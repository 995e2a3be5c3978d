"""What the serving image is made of: its lock, its bill of materials, and what is known of it."""
