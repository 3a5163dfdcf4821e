from __future__ import annotations

import pytest

from growgan.core.errors import ConfigError
from growgan.evaluation.measures import KINDS
from growgan.evaluation.requests import Request, parse_requests
from growgan.metrics import METRICS


def test_every_metric_can_be_fed() -> None:
    assert list(KINDS) == list(METRICS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("swd", Request("swd", 2048)),
        ("swd16k", Request("swd", 16384)),
        ("msssim20k", Request("msssim", 20_000)),
        ("fid", Request("fid", 10_000)),
        ("fid50k_full", Request("fid", 50_000, full=True)),
        ("fid_full", Request("fid", 10_000, full=True)),
        ("kid2k", Request("kid", 2000)),
        ("is", Request("is", 10_000)),
        ("pr", Request("pr", 2048)),
        ("pr_inception100", Request("pr_inception", 100)),
    ],
)
def test_names(text: str, expected: Request) -> None:
    assert parse_requests(text, None, curve=False) == [expected]


def test_a_curve_takes_fewer_images_and_the_flag_holds_where_the_name_is_silent() -> None:
    assert parse_requests("fid, kid", None, curve=True) == [Request("fid", 2048), Request("kid", 2048)]
    assert parse_requests("fid,swd1k", 300, curve=False) == [Request("fid", 300), Request("swd", 1024)]


@pytest.mark.parametrize("text", ["swd2k", "swd96", "fid10k", "fid50k_full", "kid2048", "pr_inception2k", "msssim20k"])
def test_results_are_called_as_they_are_asked_for(text: str) -> None:
    request = parse_requests(text, None, curve=False)[0]
    assert request.title(request.images, clean=False) == text
    assert request.title(request.images, clean=True) == f"{text}_clean"


@pytest.mark.parametrize(
    ("text", "images", "message"),
    [
        ("swf", None, "unknown metric 'swf'; choose from swd, msssim, fid"),
        ("", None, "unknown metric ''"),
        ("swd,", None, "unknown metric ''"),
        ("fid0", None, "unknown metric 'fid0'"),
        ("fid10m", None, "unknown metric 'fid10m'"),
        ("swd_full", None, "swd_full: only fid and kid support _full"),
        ("fid1", None, "fid1: the number of images must be between 2 and 1,000,000"),
        ("fid9999k", None, "must be between"),
        ("fid", 1, "--images must be between 2 and 1,000,000, not 1"),
        ("fid,kid,fid", None, "--metrics names fid twice"),
    ],
)
def test_other_names_are_refused(text: str, images: int | None, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_requests(text, images, curve=False)
    assert message in str(refusal.value)
