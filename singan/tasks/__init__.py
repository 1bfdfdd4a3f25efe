"""What one trained pyramid can do beyond sampling; one file a task, PIL images in and out."""
