"""Pages that are generated from verified evidence."""
