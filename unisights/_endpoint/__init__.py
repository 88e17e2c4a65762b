"""One endpoint: a collector, a delivery, and the way of a request through both.

- `base`: the endpoint, and the response to each outcome of its delivery.
- `synchronous`, `asynchronous`: the endpoint for servers that serve requests in threads, and for
  servers that serve them on an event loop.
- `parameters`: refuses functions that want what they will not be given.
- `discarding`: reads and drops the body of a request that is refused.
- `asgi`: the asynchronous endpoint as an ASGI app. `lifespan`: the lifespan protocol around it.

Both endpoints have the same steps in `serve`. The asynchronous one also decides about large bodies
in a thread, leaves the body of a client that waits for "100 Continue" unread, and takes part in the
app's lifespan. The steps are written twice for speed: as one coroutine that takes a `Caller`, they
took a synchronous request 10% longer in the endpoint (9.9 µs for 9.0 µs). A change of one needs the
same change of the other; `tests/adapters/` runs the same tests against both.

The adapters import from here. These modules import the app's handle (`control`), the collector,
`_delivery` and `_http`; they know no framework.
"""
