import pytest

from growgan import metrics
from growgan.core.errors import ConfigError


@pytest.mark.parametrize("name", metrics.METRICS)
def test_every_name_of_the_table_is_there(name):
    assert callable(metrics.resolve(name))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="no metric is called 'swf'; there are swd, msssim"):
        metrics.resolve("swf")
