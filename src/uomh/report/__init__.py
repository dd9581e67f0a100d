"""What results look like: figures and tables."""
