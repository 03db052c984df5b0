from __future__ import annotations

import pytest

from amlite.core import outgoing
from amlite.core.platform import Platform


@pytest.mark.attack
@pytest.mark.parametrize("url", ["https://user:SECRET@example.com/a?code=SECRET#SECRET", "http://[SECRET", "/a?SECRET"])
async def test_an_error_has_no_secret_of_the_address(platform: Platform, url: str) -> None:
    with pytest.raises(outgoing.UnreachableError) as error:
        await outgoing.send(platform, "POST", url)
    assert "SECRET" not in str(error.value)
