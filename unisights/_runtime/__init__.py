"""What any part of the package needs of the process that it runs in."""
