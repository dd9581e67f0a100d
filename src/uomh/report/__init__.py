"""What results look like: figures, and the record of a run."""
