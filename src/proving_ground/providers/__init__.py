"""Where the lab's servers come from: the embedded ones, the system's, or the user's own."""
