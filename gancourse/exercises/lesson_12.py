"""The exercises of lesson 12: the boundary equilibrium GAN."""

import torch

from gancourse.exercises import exercise, expect_names, expect_number, reading


@exercise("12.1", "Implement: one move of k")
def moved(next_k):
    """Expect ``next_k(k, loss_real, loss_fake, gamma, lambda_k)``, which returns the new k."""

    def of(k, real, fake, gamma=0.5, rate=0.1):
        return next_k(torch.tensor(k), torch.tensor(real), torch.tensor(fake), gamma, rate)

    yield "k stands still where fakes are decoded with gamma times the error of real images"
    expect_number(of(0.3, 0.2, 0.1), 0.3, "which ratio do you compare with gamma?", atol=1e-6)
    expect_number(of(0.3, 0.2, 0.06, 0.3), 0.3, "gamma may be another number", atol=1e-6)

    yield "k rises where the fakes are decoded too well, and falls where they are not"
    hint = "D must attend to fakes when it decodes them too well: which sign has the error then?"
    expect_number(of(0.3, 0.2, 0.05), 0.305, hint, atol=1e-6)
    expect_number(of(0.3, 0.2, 0.2), 0.29, hint, atol=1e-6)

    yield "it never leaves the range from 0 to 1"
    expect_number(of(0.0, 0.2, 0.9, rate=1.0), 0.0, "a negative k would help the fakes", atol=1e-6)
    expect_number(of(0.99, 0.9, 0.0, rate=1.0), 1.0, "k is at most 1", atol=1e-6)

    yield "no gradient flows through it, and nothing of the losses is kept"
    real, fake = (torch.tensor(x, requires_grad=True) for x in (0.2, 0.05))
    found = reading.tensor(next_k(torch.tensor(0.3), real, fake, 0.5, 0.1))
    kept = "k is still a function of the networks: every step would lengthen the graph"
    assert not found.requires_grad, kept

    yield "the old k is not changed behind the caller's back, or is the new one"
    k = torch.tensor(0.3)
    found = reading.number(next_k(k, torch.tensor(0.2), torch.tensor(0.05), 0.5, 0.1))
    assert abs(k.item() - 0.3) < 1e-6 or abs(k.item() - found) < 1e-6, "k has a third value"


@moved.solution
def next_k(k, loss_real, loss_fake, gamma, lambda_k):
    """Move k by lambda_k for each unit of its error, and keep it from 0 to 1."""
    with torch.no_grad():
        return (k + lambda_k * (gamma * loss_real - loss_fake)).clamp(0, 1)


@exercise("12.2", "Implement: both losses, from D and the pictures")
def both_losses(losses):
    """Expect ``losses(netD, real, fake, k)``, which returns D's loss and G's."""
    torch.manual_seed(1)
    netD = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ELU(), torch.nn.Linear(4, 6))
    weights, right = list(netD.parameters()), both_losses.answer
    real, fake, k = torch.randn(5, 6), torch.randn(7, 6), torch.tensor(0.3)

    def gradients(function, which, of):
        """Return the gradients of one of the two losses by D's weights, by the fakes or by k."""
        v, weight = fake.clone().requires_grad_(), k.clone().requires_grad_()
        loss = reading.tensor(list(function(netD, real, v, weight))[which])
        wanted = {"D": weights, "fakes": [v], "k": [weight]}[of]
        if not loss.requires_grad:
            return torch.zeros(sum(w.numel() for w in wanted))
        found = torch.autograd.grad(loss, wanted, allow_unused=True)
        pairs = zip(wanted, found, strict=True)
        return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for w, g in pairs])

    yield "they are two numbers, D's first"
    found = losses(netD, real, fake, k)
    if found is None or found is ...:
        raise NotImplementedError
    assert len(found) == 2, f"expected two losses, found {len(found)}"

    yield "both values are right, whatever k is"
    for value in (0.0, 0.3, 1.0):
        pair = losses(netD, real, fake, torch.tensor(value))
        for name, got, wanted in zip(
            ("D's", "G's"), pair, right(netD, real, fake, value), strict=True
        ):
            hint = f"{name} loss is another one: the mean of |v - D(v)| over all numbers"
            expect_number(got, wanted.item(), hint, atol=1e-5)

    yield "D's loss has the right gradient at D's weights"
    same = torch.allclose(gradients(losses, 0, "D"), gradients(right, 0, "D"), atol=1e-6)
    assert same, "D is to decode real pictures better, and fakes worse, k times as much"

    yield "D's loss moves neither G nor k"
    assert gradients(losses, 0, "fakes").abs().max() == 0, "a gradient reaches the fakes, and so G"
    assert gradients(losses, 0, "k").abs().max() == 0, "a gradient reaches k, which is not learned"

    yield "G's loss has the right gradient at the fakes"
    gap = (gradients(losses, 1, "fakes") - gradients(right, 1, "fakes")).abs().max()
    assert gap < 1e-6, "v stands in |v - D(v)| twice, and G moves it in both places"


@both_losses.solution
def losses(netD, real, fake, k):
    """Return L(x) - k L(G(z)) for D and L(G(z)) for G, where L(v) = |v - D(v)|."""

    def decoding(v):
        return (v - netD(v)).abs().mean()

    k = torch.as_tensor(k).detach()
    return decoding(real) - k * decoding(fake.detach()), decoding(fake)


@exercise("12.3", "Predict: k, M and the ratio")
def of_a_step(answer):
    """Expect a dict of four numbers."""
    expect_names(answer, {"k", "M", "still", "weight"})
    hints = {
        "k": "the error is gamma L(x) - L(G(z)), and k moves by lambda_k times as much",
        "M": "the error enters M by its size, without its sign",
        "still": "where k does not move, the error is 0",
        "weight": "differentiate L(x) - k L(G(z)) by L(G(z))",
    }
    for name, right in of_a_step.answer.items():
        yield f"{name} is right"
        expect_number(answer[name], right, hints[name], atol=0.0005)


of_a_step.solution(
    {"k": 0.202, "M": 0.12, "still": 0.05, "weight": -0.2},
    "The error is 0.5 * 0.1 - 0.03 = 0.02. k becomes 0.2 + 0.1 * 0.02 = 0.202, and M is "
    "0.1 + 0.02 = 0.12. k stands still where L(G(z)) = gamma L(x) = 0.05. The derivative of D's "
    "loss by the loss of the fakes is -k.",
)


def broken_controller(k, loss_real, loss_fake, gamma, lambda_k):
    """Return the new k, and the measure M; three things are wrong with it."""
    error = loss_real - gamma * loss_fake
    k = k + lambda_k * error
    return k, loss_real + error


@exercise("12.4", "Diagnose: k grows to 7, and M falls below L(x)")
def mended(controller):
    """Expect ``controller(k, loss_real, loss_fake, gamma, lambda_k)``: the new k, and M."""

    def of(which, *given):
        found = controller(*map(torch.tensor, given[:3]), *given[3:])
        assert len(found) == 2, f"expected k and M, found {len(found)} values"
        return found[which]

    yield "k stands still, and M is L(x), where the ratio is gamma"
    still = (0.2, 0.1, 0.04, 0.4, 1.0)
    expect_number(of(0, *still), 0.2, "the ratio is L(G(z)) over L(x)", atol=1e-6)
    expect_number(of(1, *still), 0.1, "the ratio is L(G(z)) over L(x)", atol=1e-6)

    yield "k stays between 0 and 1"
    expect_number(of(0, 0.9, 0.9, 0.1, 0.7, 5.0), 1.0, "what bounds k from above?", atol=1e-6)
    expect_number(of(0, 0.1, 0.1, 0.9, 0.7, 5.0), 0.0, "what bounds k from below?", atol=1e-6)

    yield "M is never below L(x), on either side of the balance"
    hint = "the distance from the balance has no sign"
    for fake in (0.01, 0.2, 0.6):
        given = (0.2, 0.3, fake, 0.5, 0.1)
        expect_number(of(1, *given), 0.3 + abs(0.15 - fake), hint, atol=1e-6)

    yield "k is right for any losses"
    for _ in range(5):
        k, real, fake, gamma, rate = torch.rand(5).tolist()
        right = mended.answer(*map(torch.tensor, (k, real, fake)), gamma, rate)[0].item()
        hint = "which error does k follow?"
        expect_number(of(0, k, real, fake, gamma, rate), right, hint, atol=1e-6)


@mended.solution
def mended_controller(k, loss_real, loss_fake, gamma, lambda_k):
    """Return the new k, within its range, and M."""
    error = gamma * loss_real - loss_fake
    k = (k + lambda_k * error).clamp(0, 1)
    return k, loss_real + error.abs()


mended.why = (
    "gamma belongs to L(x): the wrong error is 0 only where the fakes are decoded worse than real "
    "images, and before that it is positive, so that k rises without end. Nothing clips k. And M "
    "adds the error with its sign, so that it falls while the fakes get out of balance."
)


@exercise("12.5", "Implement: halve the step size when M stalls")
def halved(next_rate):
    """Expect ``next_rate(measures, rate, patience)``, called after each epoch."""

    def after(measures, patience=3):
        return next_rate(list(measures), 0.008, patience)

    falling = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3]
    yield "the rate stays while M falls"
    expect_number(after(falling), 0.008, "the last M is the lowest", atol=1e-9)

    yield "it stays until as many epochs as patience have passed without a new lowest M"
    expect_number(after([*falling, 0.35, 0.32]), 0.008, "two epochs are fewer than 3", atol=1e-9)

    yield "it is halved then"
    stalled = [*falling, 0.35, 0.32, 0.31]
    expect_number(after(stalled), 0.004, "three epochs without a new lowest M", atol=1e-9)

    yield "an equal M is no new lowest one"
    expect_number(after([0.5, 0.5, 0.5, 0.5]), 0.004, "M has not fallen", atol=1e-9)

    yield "it is not halved again in the next epoch: as many must pass as before"
    expect_number(after([*stalled, 0.33]), 0.008, "the rate has just been halved", atol=1e-9)
    expect_number(after([*stalled, 0.33, 0.4, 0.5]), 0.004, "three more have passed", atol=1e-9)

    yield "the patience counts, and a start with few epochs is no stall"
    expect_number(after([0.5, 0.6], 1), 0.004, "patience is 1", atol=1e-9)
    expect_number(after([0.5]), 0.008, "there is one epoch so far", atol=1e-9)


@halved.solution
def next_rate(measures, rate, patience):
    """Return half the rate after every ``patience`` epochs without a new lowest M."""
    waited = len(measures) - 1 - measures.index(min(measures))
    return rate / 2 if waited and waited % patience == 0 else rate
