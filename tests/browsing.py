"""A real browser for tests: it reports what fails on a page, and what leaves the service."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

_CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_MILLISECONDS = 30_000
Open = Callable[..., Page]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser until the block ends."""
    # Long enough for a busy machine.
    expect.set_options(timeout=_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=[*_ARGUMENTS])
        yield browser
        browser.close()


@contextmanager
def opening(browser: Browser, url: str, size: tuple[int, int]) -> Iterator[Open]:
    """Open pages of a service; at the end nothing may have failed, or left its own origin."""
    faults: list[str] = []
    context = browser.new_context()
    context.set_default_timeout(_MILLISECONDS)

    def watch(page: Page) -> None:
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((url, "blob:"))
                else faults.append(f"left the service: {asked.url}")
            ),
        )

    def open_(address: str = "/", size: tuple[int, int] = size) -> Page:
        page = context.new_page()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        watch(page)
        page.goto(url + address)
        expect(page.locator("#status, #notice:not([hidden])").first).not_to_be_empty()
        return page

    open_.faults = faults  # type: ignore[attr-defined]
    yield open_
    context.close()
    assert faults == []


def forgive(open_page: Any, words: str) -> None:
    """Take back the faults that a test made on purpose: the browser logs each refused request."""
    assert any(words in fault for fault in open_page.faults)
    open_page.faults[:] = [fault for fault in open_page.faults if words not in fault]


def hold_first(page: Page, address: str) -> list[Route]:
    """Keep the first request of an address back, and let the others through.

    Returns:
        The request, as soon as there is one.
    """
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route(address, hold)
    return held


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong on a page, of any impact."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'] for node in one['nodes']][:3]}" for one in found]


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(width, 0)
