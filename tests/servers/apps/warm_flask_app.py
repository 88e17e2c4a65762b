"""Flask, in an app that has stored a payload before the server forks its workers."""

from tests.servers.apps.flask_app import app
from tests.support import make_body

app.test_client().post(
    "/events", data=make_body(asset_id="warm"), headers={"content-type": "application/json"}
)
