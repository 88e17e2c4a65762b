"""The parts of HTTP that need no framework. They do no input or output, except through callables.

- `cors`: which origins may send beacons, and the CORS headers of every response.
- `body`: a request's body: its greatest size, its content encoding, its declared length.
- `paths`: the spellings of an endpoint's path.
- `responses`: every response of the endpoint, with its status, headers and body.
- `openapi`: the endpoint's requests and responses as OpenAPI describes them.
- `asgi`, `wsgi`: a request as the two server interfaces present it; `headers`: common names.

The collector, `_endpoint` and the adapters import from here. These modules import public data
modules and `_schema`; they know no collector, no delivery and no framework.
"""
