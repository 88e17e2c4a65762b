"""Apps that store to the sink that the environment names, for real servers to run."""

import os

from fastapi import FastAPI
from flask import Flask

from unisights import UnisightsOptions
from unisights.fastapi import unisights_fastapi
from unisights.flask import unisights_flask
from unisights.sinks._url_schemes import sink_from_url

VARIABLE = "UNISIGHTS_TEST_SINK"

options = UnisightsOptions(handler=sink_from_url(os.environ[VARIABLE]))

fastapi_app = FastAPI()
fastapi_app.include_router(unisights_fastapi(options))

flask_app = Flask(__name__)
flask_app.register_blueprint(unisights_flask(options))
