"""Flask."""

from flask import Flask

from tests.servers.apps.settings import make_options
from unisights.flask import unisights_flask

app = Flask(__name__)
# The framework's own limit must not have a say.
app.config["MAX_CONTENT_LENGTH"] = 10
app.register_blueprint(unisights_flask(make_options()))
