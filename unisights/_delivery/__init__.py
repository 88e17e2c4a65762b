"""From an accepted payload to the user's handler: inline, in the background, or durable."""
