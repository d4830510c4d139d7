"""The embedded reference system that drills break by default; fireproof never imports it."""
