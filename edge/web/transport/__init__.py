"""What lies below the application: connections, heads and frames, each within bounds."""
