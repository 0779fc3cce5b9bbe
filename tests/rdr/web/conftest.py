"""What tests of pages share: a browser, where there is one."""

import pytest

from tests.browser import browsing

# A graphics processor made of software.
FLAGS = ("--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader",
         "--use-vulkan=swiftshader")


@pytest.fixture(scope="session")
def browser():
    with browsing(flags=FLAGS) as opened:
        yield opened
