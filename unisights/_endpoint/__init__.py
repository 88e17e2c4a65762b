"""One endpoint: a collector, a delivery, and how a request goes through both.

- `base`: the endpoint, and the response to each outcome of its delivery.
- `discarding`: reads and drops the body of a request that is refused.
- `synchronous`, `asynchronous`: the endpoint for hosts that serve requests in threads, and for
  those that serve them on an event loop. They differ only in how they wait.
- `asgi`: the asynchronous endpoint as an ASGI app; `lifespan`: the lifespan protocol around it.

The adapters import from here, and nothing else does. These modules import the collector,
`_delivery` and `_http`; they know no framework.
"""
