"""What one tenant must never see, change or learn of another."""
