"""Pictures of the page that a server shows at /, of a classifier: `python docs/gallery/serving.py RUN`.

RUN is a finished run, as runs/movie-reviews of `make finetune`. Writes serve.png (wide, light), serve-dark.png (as wide
as a phone, dark) and serve-zh.png (in Chinese) beside this file. Needs `pip install 'hf_xfmr[browser]'` and a Chromium,
on the PATH or named by HF_XFMR_CHROMIUM.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEXT = "A quiet film, slow at first, and then so wonderful that nobody in the theater moved."
PICTURES = {"serve": (1000, "light", ""), "serve-dark": (390, "dark", ""), "serve-zh": (1000, "light", "?language=zh")}


def wait_for(address: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/ready", timeout=5)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit("the server does not start")


def main() -> None:
    from playwright.sync_api import sync_playwright

    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    chromium = os.environ.get("HF_XFMR_CHROMIUM") or shutil.which("chromium")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "hf_xfmr", "serve", sys.argv[1], "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(address)
        with sync_playwright() as driver:
            options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = driver.chromium.launch(executable_path=chromium, args=options)
            for name, (width, scheme, query) in PICTURES.items():
                page = browser.new_page(viewport={"width": width, "height": 600}, color_scheme=scheme)
                page.set_default_timeout(120_000)
                page.goto(f"{address}/{query}")
                page.fill("#text", TEXT)
                page.click("#ask")
                page.locator("#marked mark").first.wait_for()
                page.locator("#ask:enabled").wait_for()
                page.screenshot(path=HERE / f"{name}.png", full_page=True)
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
