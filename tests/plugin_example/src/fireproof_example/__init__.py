"""What a package has to hold to add to fireproof."""
