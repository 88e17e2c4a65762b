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
    """A tab with cookies and caches of its own."""

    def __init__(self, page: Any, call: Callable[..., Any]) -> None:
        self._page = page
        self._call = call

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
    other test could run one.
    """

    def __init__(self, executable: str, thread: ThreadPoolExecutor) -> None:
        self._executable = executable
        self._thread = thread
        self._browser: Any = None

    @contextlib.contextmanager
    def running(self) -> Iterator["Browser"]:
        """Start the browser, and end it."""
        from playwright.sync_api import sync_playwright

        playwright = self._call(sync_playwright().start)
        try:
            self._browser = self._call(
                playwright.chromium.launch, executable_path=self._executable, args=_FLAGS
            )
            try:
                yield self
            finally:
                self._call(self._browser.close)
        finally:
            self._call(playwright.stop)

    @contextlib.contextmanager
    def tab(self, url: str) -> Iterator[Tab]:
        """Open a page in a fresh tab."""
        context = self._call(self._browser.new_context)
        try:
            self._call(context.add_init_script, _SEND)
            tab = Tab(self._call(context.new_page), self._call)
            tab.open(url)
            yield tab
        finally:
            self._call(context.close)

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
