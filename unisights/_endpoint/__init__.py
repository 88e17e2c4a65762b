"""One endpoint: a collector, a delivery, and the way of a request through both.

- `base`: the endpoint, and the response to each outcome of its delivery.
- `synchronous`, `asynchronous`: the endpoint for servers that serve requests in threads, and for
  servers that serve them on an event loop.
- `parameters`: refuses functions that ask for arguments which they will not be given.
- `discarding`: reads and drops the body of a request that is refused.
- `completion`: finishes requests that the host cancels.
- `asgi`: the asynchronous endpoint as an ASGI app. `lifespan`: the lifespan protocol around it.

Both endpoints read the body by themselves, as they wait in different ways. What follows is written
once, in `base`.

The adapters import from here. These modules import the app's handle (`control`), the collector,
`_delivery` and `_http`; they know no framework.
"""
