"""Whether a TFDS data set that is not there can be downloaded at all."""

import pathlib
import threading
import urllib.parse
from collections.abc import Iterable

# TFDS tries for minutes; a network that answers does so at once.
_TIMEOUT_SECONDS = 5.0
_NUM_HOSTS = 3
# Answers of a proxy that does not reach the host, which TFDS tries again.
_GATEWAY_ERRORS = (502, 503, 504)


def check_reachable(urls: Iterable[str], downloads: pathlib.Path) -> None:
    """Checks that a host of the files to download answers, in some seconds.

    Where files were downloaded before, nothing is checked: those may be all.

    Args:
        urls: Addresses of the files.
        downloads: Folder of what was downloaded before.

    Raises:
        ConnectionError: If none answers, and why.
    """
    if downloads.is_dir() and any(downloads.iterdir()):
        return
    urls = _one_of_each_host(urls)
    if not urls:
        return
    reasons = {}
    answered = threading.Event()
    threads = [
        # Looking up a name has no time limit: nobody waits for these.
        threading.Thread(
            target=_ask, args=(url, answered, reasons), daemon=True
        )
        for url in urls
    ]
    done = threading.Thread(
        target=_wait_for, args=(threads, answered), daemon=True
    )
    done.start()
    done.join(_TIMEOUT_SECONDS)
    if not answered.is_set():
        host = urllib.parse.urlsplit(urls[0]).netloc
        reason = reasons.get(urls[0], f"in {_TIMEOUT_SECONDS:g} s")
        raise ConnectionError(f"no answer of {host}, {reason}")


def _one_of_each_host(urls):
    by_host = {}
    for url in urls:
        if url.startswith(("http://", "https://")):
            by_host.setdefault(urllib.parse.urlsplit(url).netloc, url)
    return list(by_host.values())[:_NUM_HOSTS]


def _wait_for(threads, answered):
    for thread in threads:
        thread.start()
    for thread in threads:
        if not answered.is_set():
            thread.join()


def _ask(url, answered, reasons):
    """Asks for a file, without reading it, as TFDS would."""
    import requests

    try:
        with requests.get(url, stream=True, timeout=_TIMEOUT_SECONDS) as reply:
            if reply.status_code not in _GATEWAY_ERRORS:
                answered.set()
            else:
                reasons[url] = f"HTTP {reply.status_code}"
    except (requests.RequestException, OSError) as error:
        reasons[url] = type(error).__name__
