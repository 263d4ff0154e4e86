"""JupyterLab in a real browser: a server of its own, headless Chromium, and what a person does.

All files of this folder share one server and one browser; a test has a tab of its own.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

NAMES = ("chromium", "google-chrome", "chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light", "adaptive-theme": False},
    "docmanager-extension/plugin": {"autosave": False},
}
PATIENCE = 60_000  # milliseconds until a thing that never happens is a failure


def find_browser(playwright):
    """Return the path of a Chromium, or None."""
    own = playwright.chromium.executable_path
    found = map(shutil.which, (os.environ.get("GANCOURSE_BROWSER", ""), *NAMES, own))
    return next(filter(None, found), None)


@pytest.fixture(scope="package")
def chromium(tmp_path_factory):
    """Start Chromium with an empty profile; skip where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with sync_api.sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            pytest.skip(
                "no browser: install Chromium or Chrome, run `playwright install chromium`, or set "
                "GANCOURSE_BROWSER to one"
            )
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=path,
            args=FLAGS,
            viewport={"width": 1200, "height": 1000},
            device_scale_factor=2,
        )
        context.set_default_timeout(PATIENCE)
        sync_api.expect.set_options(timeout=PATIENCE)  # its own is 5 s, too few on a busy machine
        yield context
        context.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    """Start JupyterLab over an empty folder, with settings, signatures and kernels of its own."""
    base = tmp_path_factory.mktemp("jupyter")
    root = base / "notebooks"
    root.mkdir()
    env = os.environ | {
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(base / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "IPYTHONDIR": str(base / "ipython"),
        "GANCOURSE_PRESET": "smoke",
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        f"--ServerApp.root_dir={root}",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
    ]
    log = base / "server.log"
    with log.open("w", encoding="utf-8") as out:
        command = [sys.executable, "-m", "jupyterlab", *options]
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out)
    try:
        yield Server(_url(process, base / "runtime", log), root, base / "settings")
    finally:
        process.terminate()
        process.wait(timeout=30)


def _url(process, runtime, log):
    """Return the address that the server wrote down once it listened."""
    end = time.monotonic() + PATIENCE / 1000
    while process.poll() is None and time.monotonic() < end:
        for path in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(path.read_text(encoding="utf-8"))["url"]
            except ValueError:
                pass  # half written
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


class Server:
    """A running JupyterLab: its address, and the folders of its notebooks and settings."""

    def __init__(self, url, root, settings):
        self.url, self.root, self.settings = url, root, settings

    def put_settings(self):
        """Write the settings that every test begins with."""
        for name, values in SETTINGS.items():
            path = self.settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")

    def stop_kernels(self, request):
        """Shut down every kernel, through a Playwright request context."""
        for kernel in request.get(f"{self.url}api/kernels").json():
            request.delete(f"{self.url}api/kernels/{kernel['id']}")


@pytest.fixture
def lab(server, chromium, tmp_path):
    """Give a browser tab for one test, and leave no kernel behind."""
    server.put_settings()
    page = chromium.new_page()
    yield Lab(server, page, Path(os.environ.get("GANCOURSE_SCREENSHOTS") or tmp_path))
    page.close()
    server.stop_kernels(chromium.request)


class Lab:
    """What a person does in JupyterLab, as far as the tests need it."""

    def __init__(self, server, page, screenshots):
        self.server, self.page, self.screenshots = server, page, screenshots

    def open(self, notebook):
        """Put a notebook (a path or a notebook) into the folder if it is one, and open it."""
        if isinstance(notebook, Path):
            shutil.copy(notebook, self.server.root)
        self.name = Path(notebook).name
        self.page.goto(f"{self.server.url}lab/tree/{self.name}?reset")
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        self.page.wait_for_function(
            "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        )

    def do(self, command):
        """Run one of JupyterLab's commands and wait until it is done."""
        self.page.evaluate("command => jupyterapp.commands.execute(command)", command)

    def run_all(self):
        """Run every cell, wait for the kernel, and return the errors in the outputs."""
        self.do("notebook:run-all-cells")
        outputs = self.page.evaluate(
            "jupyterapp.shell.currentWidget.model.toJSON().cells.flatMap(c => c.outputs ?? [])"
        )
        return [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]

    def stop_kernel(self):
        """Shut down the notebook's kernel."""
        self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    def resize(self, width):
        """Make the window this wide, and wait until the notebook fits it."""
        self.page.set_viewport_size({"width": width, "height": 1000})
        self.page.wait_for_function(
            "document.querySelector('.jp-NotebookPanel').getBoundingClientRect().right < innerWidth"
        )

    def theme(self, name):
        """Change to one of JupyterLab's themes: "Light" or "Dark"."""
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {name}",
        )
        light = "true" if name == "Light" else "false"
        self.page.locator(f"body[data-jp-theme-light={light}]").wait_for(state="attached")

    def explorer(self, number, pictures):
        """Return a live explorer, counted from 0, once its pictures are there."""
        found = self.page.locator(".jp-OutputArea-output .gancourse-live").nth(number)
        found.locator("img[src]").nth(pictures - 1).wait_for()
        found.scroll_into_view_if_needed()
        return found

    def slider(self, explorer, label):
        """Return the handle of the slider with this label."""
        box = explorer.locator(".widget-slider", has_text=label)
        return box.locator(".noUi-handle")

    def after(self, explorer, act):
        """Do something, wait until every picture of the explorer is a new one, return those."""
        images = explorer.locator("img")
        before = [image.get_attribute("src") for image in images.all()]
        act()
        for i, src in enumerate(before):
            image = images.nth(i).element_handle()
            self.page.wait_for_function(
                "([i, src]) => i.src !== src && i.complete", arg=[image, src]
            )
        return self.pictures(explorer)

    def pictures(self, explorer):
        """Return the pixels of the explorer's pictures, as data URLs."""
        read = """async image => {
            for (let tries = 100; ; tries--) {  // a newer picture may come meanwhile
                try { await image.decode(); break; }
                catch (error) { if (!tries) throw error; }
                await new Promise(later => setTimeout(later, 50));
            }
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL();
        }"""
        return [image.evaluate(read) for image in explorer.locator("img").all()]

    def drag(self, handle, dx):
        """Pull a slider's handle dx pixels to the right."""
        box = handle.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y, steps=4)
        self.page.mouse.up()

    def screenshot(self, name, element=None):
        """Keep a picture of the page or of an element."""
        self.screenshots.mkdir(parents=True, exist_ok=True)
        (element or self.page).screenshot(path=self.screenshots / f"{name}.png")
