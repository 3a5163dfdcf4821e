"""What D sees of a batch, and how strong augmentation becomes."""

from __future__ import annotations

import pytest
import torch
from making import FixedDraws, make_nets, make_spec, normal

from growgan.augment.changes import NUMBERS, augment
from growgan.augment.strength import Augment
from growgan.core.augmentation import AugmentConfig
from growgan.core.config import LossConfig, OptimConfig, ScheduleConfig
from growgan.core.fields import per
from growgan.core.schedule import Schedule
from growgan.losses import LOSSES, create
from growgan.losses.base import StepInfo

CPU = torch.device("cpu")
ALL = ("colour", "translation", "cutout")
N = 4


def make(**fields) -> Augment:
    return Augment(AugmentConfig(**{"policy": "colour,translation,cutout", "from_resolution": 8, **fields}), CPU)


def seen_by(x, parts, draws, **fields):
    """What reaches D of `x`."""
    caught = []

    def critic(x, parts=1, **options):
        caught.append((x, parts, options))
        return x, x

    make(**fields).before(critic, draws)(x, parts=parts, on_input="hook")
    ((x, parts, options),) = caught
    assert options == {"on_input": "hook"}
    return x, parts


def test_parts_of_a_batch_and_batches_have_draws_of_their_own():
    x, draws = normal(2 * N, 3, 8, 8), FixedDraws(N)
    both, parts = seen_by(x, 2, draws)
    assert parts == 2
    assert draws.asked == ["augment/0", "augment/1"]
    for part, of in enumerate(x.chunk(2)):
        numbers = FixedDraws(N).uniform(f"augment/{part}", NUMBERS)
        torch.testing.assert_close(both.chunk(2)[part], augment(of, ALL, numbers))


@pytest.mark.parametrize("name", LOSSES)
def test_all_that_d_sees_is_augmented_by_draws_of_its_own(name):
    _, D = make_nets(make_spec(8))
    loss, draws = create(LossConfig(name=name), False), FixedDraws(N)
    reals, fakes = normal(N, 3, 8, 8), normal(N, 3, 8, 8, seed=1)
    seen = []

    def critic(x, parts=1, on_input=None):
        seen.extend(x.detach().chunk(parts))
        return D(x, parts=parts, on_input=on_input)

    for _ in loss.d_terms(make().before(critic, draws), reals, fakes, None, draws, StepInfo(8)):
        pass
    asked = [name for name in draws.asked if name.startswith("augment")]
    assert asked == [f"augment/{k}" for k in range(len(seen))]
    assert len(seen) == (3 if name == "wgan_gp" else 2)
    for image in (*reals, *fakes):
        assert all((image != other).any() for batch in seen for other in batch)


def test_r1_is_by_the_image_that_was_not_augmented():
    """Of a critic that sums up: each pixel's gradient is what the augmentation makes of it, here in closed form."""

    def total(x, parts=1, on_input=None):
        return x.sum(dim=(1, 2, 3))[:, None], x.new_empty(len(x), 0)

    draws, reals = FixedDraws(N), normal(N, 3, 8, 8)
    config = AugmentConfig(policy="cutout", from_resolution=8)
    *_, terms = create(LossConfig(name="logistic"), False).d_terms(
        Augment(config, CPU).before(total, draws), reals, reals, None, draws, StepInfo(8)
    )
    left = augment(torch.ones_like(reals), ("cutout",), FixedDraws(N).uniform("augment/1", NUMBERS))
    assert terms.parts["r1"].item() == pytest.approx(5 * left.sum().item() / N)


def test_sizes_below_are_left_alone():
    augmented = make(from_resolution=16)
    assert [augmented.works_at(size) for size in (4, 8, 16, 32)] == [False, False, True, True]
    assert not Augment(AugmentConfig(), CPU).works_at(1024)


def note(augmented: Augment, sign: torch.Tensor, step: int, minibatch: int, resolution: int = 8) -> None:
    """What a step tells that saw reals of this mean sign."""
    config = ScheduleConfig(initial_resolution=resolution, minibatch=per(minibatch))
    augmented.after_d_step({"sign": sign}, Schedule(config, OptimConfig(), resolution).at(0), step)


def test_p_follows_the_sign_of_the_reals():
    """As the release adjusts it: after every 4 minibatches by 4 N / 500,000, toward a mean sign of 0.6."""
    augmented = make(strength="adaptive", p=0.3)
    signs = [0.7, 0.9, 0.8, 0.7, 0.5, 0.5, 0.5, 0.8, 0.5, 0.4, 0.2]
    ps = []
    for step, sign in enumerate(signs):
        note(augmented, torch.tensor(sign), step, 1000)
        ps.append(augmented.p(0).item())
    step = 4 * 1000 / 500_000
    expected = [0.3] * 3 + [0.3 + step] * 4 + [0.3] * 4
    assert ps == pytest.approx(expected, abs=1e-6)


def test_p_stays_between_0_and_its_most():
    up, down = make(strength="adaptive", p_max=0.01), make(strength="adaptive", p=0.005)
    for step in range(20):
        note(up, torch.tensor(1.0), step, 1000)
        note(down, torch.tensor(-1.0), step, 1000)
        note(fixed := make(), torch.tensor(1.0), step, 1000)
    assert up.p(0).item() == pytest.approx(0.01)
    assert down.p(0).item() == 0
    assert fixed.p(0) == 1 and not fixed.state


def test_steps_below_its_size_tell_it_nothing():
    augmented = make(strength="adaptive", from_resolution=16)
    for step in range(8):
        note(augmented, torch.tensor(1.0), step, 1000)
    assert all(value.item() == 0 for value in augmented.state.values())
    for step in range(8, 16):
        note(augmented, torch.tensor(1.0), step, 1000, resolution=16)
    assert augmented.p(0).item() == pytest.approx(8 * 1000 / 500_000)


def test_speed_interval_and_target_can_be_set():
    augmented = make(strength="adaptive", kimg=50, interval=2, target=0.1)
    for step in range(2):
        note(augmented, torch.tensor(0.2), step, 100)
    assert augmented.p(0).item() == pytest.approx(2 * 100 / 50_000)


def test_no_rounding_decides_where_p_goes():
    """8 of 10 reals: exactly the target of 0.6, however the mean of parts was rounded."""
    augmented = make(strength="adaptive", p=0.5)
    for step in range(40):
        note(augmented, torch.tensor(0.6) + (step % 3 - 1) * 1e-6, step, 10)
    assert augmented.p(0).item() == 0.5


def test_a_policy_by_its_text():
    assert AugmentConfig(policy=" colour , cutout").changes == ("colour", "cutout")
    assert AugmentConfig(policy="none").changes == AugmentConfig(policy="").changes == ()
    assert (make().p(0), make(strength="adaptive").p(0).item(), make(p=0.2).p(0)) == (1.0, 0.0, 0.2)
    assert [make(p=0.2, p_end=0.6).p(progress) for progress in (0, 0.5, 1)] == pytest.approx([0.2, 0.4, 0.6])
    assert not AugmentConfig(strength="adaptive").adaptive
