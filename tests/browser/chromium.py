"""Drives a headless Chromium."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# The browser refuses a beacon while those in flight hold 64 KiB: such a one is sent again.
_SEND = """
globalThis.beacon = async (url, body, type = "application/json") => {
  const blob = new Blob([body], {type});
  for (let left = 3000; !navigator.sendBeacon(url, blob); left--) {
    if (!left) throw new Error("the quota of beacons in flight is never free");
    await new Promise(resume => setTimeout(resume, 10));
  }
};
"""


class Tab:
    """A tab with no cookies, and with empty caches, that of preflights too."""

    def __init__(self, context: Any, call: Callable[..., Any]) -> None:
        self._context = context
        self._call = call
        self._page = call(context.new_page)
        self._devtools = call(context.new_cdp_session, self._page)

    @property
    def is_closed(self) -> bool:
        """Whether the tab has been closed."""
        return bool(self._call(self._page.is_closed))

    def forget(self) -> None:
        """Clear cookies and caches, as if the browser had just been started."""
        self._call(self._context.clear_cookies)
        self._call(self._devtools.send, "Network.clearBrowserCache")

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        self._call(self._page.goto, url)

    def close(self) -> None:
        """Close the tab, as a person does."""
        self._call(self._page.close)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a function in the page, or in its frame if it has one; wait for its promise."""
        return self._call(lambda: self._page.frames[-1].evaluate(script, list(arguments)))

    def beacon(self, url: str, body: bytes, content_type: str = "application/json") -> None:
        """Send one beacon; without a content type, the request has no such header."""
        self.run("arguments => beacon(...arguments)", url, body.decode(), content_type)


class Browser:
    """A browser, driven from a thread of its own.

    Playwright leaves an event loop running in the thread that calls it, and in such a thread no
    other test could run one. To open a tab costs Chromium four times as much as to go to a page, so
    tests take over the tab that the test before has left open.
    """

    def __init__(self, executable: str, thread: ThreadPoolExecutor) -> None:
        self._executable = executable
        self._thread = thread
        self._context: Any = None
        self._spare: Tab | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator["Browser"]:
        """Start the browser, and end it."""
        from playwright.sync_api import sync_playwright

        playwright = self._call(sync_playwright().start)
        try:
            browser = self._call(
                playwright.chromium.launch, executable_path=self._executable, args=_FLAGS
            )
            try:
                self._context = self._call(browser.new_context)
                self._call(self._context.add_init_script, _SEND)
                yield self
            finally:
                self._call(browser.close)
        finally:
            self._call(playwright.stop)

    @contextlib.contextmanager
    def tab(self, url: str) -> Iterator[Tab]:
        """Open a page in a tab that remembers nothing; after a failure, it is not used again."""
        tab, self._spare = self._spare or Tab(self._context, self._call), None
        try:
            tab.forget()
            tab.open(url)
            yield tab
        except BaseException:
            tab.close()
            raise
        if not tab.is_closed:
            self._spare = tab

    def _call(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        return self._thread.submit(function, *arguments, **options).result()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium; skips the test where there is none."""
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        pytest.skip(f"there is no {', '.join(names)} on the PATH")
    with ThreadPoolExecutor(max_workers=1) as thread, Browser(executable, thread).running() as it:
        yield it
