"""What tests of pages share: a browser, where there is one."""

import shutil

import pytest


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium without a window, driven by selenium; its graphics processor is made of software."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options, service = webdriver.ChromeOptions(), webdriver.ChromeService(driver)
    options.binary_location = chromium
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-component-update",
                 "disable-background-networking", "disable-sync", "enable-unsafe-webgpu", "enable-features=Vulkan",
                 "use-webgpu-adapter=swiftshader", "use-vulkan=swiftshader",
                 f"user-data-dir={tmp_path_factory.mktemp('user')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=service)
    yield opened
    opened.quit()
