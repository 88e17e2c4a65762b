"""Flask."""

from flask import Flask, Response, request

from benchmarks.apps import HEADERS, RESPONSE
from unisights import UnisightsOptions
from unisights.flask import unisights_flask

app = Flask(__name__)


@app.post("/read")
def read() -> Response:
    """Read the body; do nothing with it."""
    request.get_data()
    return Response(RESPONSE, headers=HEADERS)


app.register_blueprint(unisights_flask(UnisightsOptions(delivery="inline")))

background = Flask(__name__)
background.register_blueprint(unisights_flask())
