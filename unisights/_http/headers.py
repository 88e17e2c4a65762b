"""The names of the headers that most requests have, for tables that are computed once."""

COMMON_HEADERS = (
    *("host", "connection", "user-agent", "accept", "origin", "referer", "cookie"),
    *("content-type", "content-length", "content-encoding", "accept-encoding", "accept-language"),
    *("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"),
    *("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"),
    *("x-forwarded-for", "x-forwarded-proto", "x-real-ip"),
)
"""The names of the headers that browsers and proxies send, in lower case."""
