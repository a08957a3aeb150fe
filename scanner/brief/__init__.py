"""What a brief says, as plain data made from a Report: shared by every format that prints one. Nothing here escapes text; the reporter does."""
