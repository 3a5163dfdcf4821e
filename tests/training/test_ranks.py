"""Several processes are one: what two compute together is what one computes alone, and none waits for a dead one."""

from __future__ import annotations

import pytest
import torch
from training import sharing


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> dict[str, dict[str, torch.Tensor]]:
    """What two processes have computed together."""
    out = tmp_path_factory.mktemp("shared") / "results"
    processes = sharing.launch([sharing.__file__, str(out)], 2)
    for process in processes:
        said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    return torch.load(out)


@pytest.mark.parametrize("name", sharing.RUNS)
def test_two_processes_in_float64_are_one_through_a_growth_step(shared, name):
    alone, together = sharing.whole_run(name), shared[f"run {name}"]
    assert alone.keys() == together.keys()
    for key, value in alone.items():
        torch.testing.assert_close(
            together[key], value, rtol=1e-8, atol=1e-8, msg=lambda text, key=key: f"{key}: {text}"
        )


@pytest.mark.parametrize("name", sharing.GRADIENTS)
def test_gradients_in_float32(shared, name):
    alone, together = sharing.gradients(name), shared[f"gradients {name}"]
    assert alone.keys() == together.keys()
    for key, value in alone.items():
        # Some biases get a sum that cancels, such as scores of fakes less those of reals: what is left is rounding.
        assert (together[key] - value).norm() <= 1e-5 * value.norm() + 1e-7, key
    for network in ("Discriminator", "Generator"):
        whole, both = (
            torch.cat([some[key].flatten() for key in some if key.startswith(network)]) for some in (alone, together)
        )
        assert len(whole) > 1000
        assert (both - whole).norm() <= 1e-5 * whole.norm()
