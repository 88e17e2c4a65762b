"""What HTTP says: bodies, CORS, responses, and requests as ASGI and WSGI have them."""
