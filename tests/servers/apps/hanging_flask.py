"""Flask, with endpoints that hang."""

from flask import Flask

from tests.servers.apps.hanging import PATHS, make_options
from unisights.flask import unisights_flask

app = Flask(__name__)
for path in PATHS:
    app.register_blueprint(unisights_flask(make_options(path)))
