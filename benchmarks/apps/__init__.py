"""The apps that are put under load: each framework's own minimum, and the endpoint in it."""

RESPONSE = b'{"status":"received","session_id":"0d936465-387d-4445-9c4e-7975eb602d07"}'
"""What the minimum responds with: as much as the endpoint does."""

HEADERS = {"content-type": "application/json"}
