"""The exercises of lesson 11: the semi-supervised GAN."""

import torch
import torch.nn.functional as F

from gancourse.exercises import exercise, expect, expect_names, expect_number, expect_same, reading


@exercise("11.1", "Implement: D's loss without labels, from class logits")
def loss_without_labels(unsupervised_loss):
    """Expect ``unsupervised_loss(real, fake)``, which takes class logits, (N, K)."""
    yield "it is log(11 / 10) + log 11 where all ten logits are 0: D(x) = 10 / 11"
    zeros = torch.zeros(4, 10)
    expect_number(unsupervised_loss(zeros, zeros), 2.4932, "Z is 10 for each sample", atol=1e-3)

    yield "it and its gradient are right for any logits"
    real, fake = torch.randn(6, 10), torch.randn(6, 10)
    expect_same(unsupervised_loss, loss_without_labels.answer, real, fake)

    yield "it is right for other numbers of classes, and of fakes"
    expect_same(unsupervised_loss, loss_without_labels.answer, torch.randn(5, 3), torch.randn(2, 3))

    yield "it is finite where exp(logit) is not"
    far = torch.zeros(2, 10)
    far[:, 3] = 200.0
    expect_same(unsupervised_loss, loss_without_labels.answer, far, far, atol=1e-3)
    expect_same(unsupervised_loss, loss_without_labels.answer, -far - 200, -far - 200, atol=1e-3)


@loss_without_labels.solution
def unsupervised_loss(real, fake):
    """Average -log D(x) and -log(1 - D(G(z))), with D(x) = sigmoid(logsumexp of the logits)."""
    return F.softplus(-real.logsumexp(1)).mean() + F.softplus(fake.logsumexp(1)).mean()


@exercise("11.2", "Implement: feature matching")
def matched_features(matching_loss):
    """Expect ``matching_loss(real, fake)``, which takes features, (N, units)."""
    real, fake = torch.randn(8, 5), torch.randn(8, 5) + 1
    yield "it is 0 where the means agree, whatever the order and the spread of the samples"
    wide = real.mean(0) + 3 * (real - real.mean(0)).flip(0)
    expect_number(matching_loss(real, wide), 0.0, "compare means over the batch", atol=1e-5)

    yield "it is 4 where each mean is off by 2, whatever the number of features"
    hint = "take the mean over the features"
    expect_number(matching_loss(real, real - 2), 4.0, hint, atol=1e-4)
    expect_number(matching_loss(real[:, :2], real[:, :2] + 2), 4.0, hint, atol=1e-4)

    yield "it and its gradient are right for any features"
    expect_same(matching_loss, matched_features.answer, real, fake)

    yield "the two batches may have different sizes"
    expect_same(matching_loss, matched_features.answer, real[:3], fake)


@matched_features.solution
def matching_loss(real, fake):
    """Average over the features the squared difference of their means over the batch."""
    return (real.mean(0) - fake.mean(0)).square().mean()


@exercise("11.3", "Predict: what D says of a picture")
def of_a_picture(answer):
    """Expect a dict of three numbers."""
    expect_names(answer, {"all_zero", "undecided", "both_raised"})
    hints = {
        "all_zero": "Z is the sum of ten exponentials of 0, and D(x) = Z / (Z + 1)",
        "undecided": "Z must be 1: what does each of ten equal exponentials have to be?",
        "both_raised": "what does a softmax do with a number that is added to all of its logits?",
    }
    for name, right in of_a_picture.answer.items():
        yield f"{name} is right"
        expect_number(answer[name], right, hints[name])


of_a_picture.solution(
    {"all_zero": 0.909, "undecided": -2.303, "both_raised": 0.0},
    "Ten logits of 0 give Z = 10 and D(x) = 10 / 11 = 0.909: a D that knows nothing starts by "
    "calling everything real. D(x) = 1/2 needs Z = 1, so each of ten equal logits is "
    "-log 10 = -2.303. A number that is added to all eleven logits changes no probability: one of "
    "them is too many, and may be fixed at 0.",
)


def broken_loss(labelled, labels, unlabelled, fake):
    """D's loss with eleven classes, from logits (N, 11); two things are wrong with it."""
    of_fake = torch.full((len(fake),), 10, device=fake.device)
    named = F.cross_entropy(labelled.softmax(1), labels)
    not_fake = -(1 - unlabelled.softmax(1)[:, 10]).log().mean()
    return named + not_fake + F.cross_entropy(fake, of_fake)


@exercise("11.4", "Diagnose: eleven classes that learn slowly, and then are NaN")
def mended(loss):
    """Expect ``loss(labelled, labels, unlabelled, fake)``."""
    labels = torch.tensor([3, 1, 4, 1, 5, 9])
    labelled, unlabelled, fake = torch.randn(3, 6, 11).unbind(0)
    right = mended.answer

    def of(function):
        return lambda named, unnamed, fakes: function(named, labels, unnamed, fakes)

    yield "a sure and wrong answer costs what it should"
    sure = torch.zeros(6, 11)
    sure[:, 0] = 30.0
    quiet = torch.zeros(6, 11)
    wanted = right(sure, labels, quiet, quiet)
    hint = "how large can the cross-entropy of numbers between 0 and 1 become?"
    expect_number(loss(sure, labels, quiet, quiet), wanted.item(), hint, atol=1e-3)

    yield "it and its gradients are right for any logits"
    expect_same(of(loss), of(right), labelled, unlabelled, fake)

    yield "it is finite where D is sure that a real picture is a fake"
    far = torch.zeros(6, 11)
    far[:, 10] = 120.0
    expect_same(of(loss), of(right), labelled, far, fake, atol=1e-3)


@mended.solution
def mended_loss(labelled, labels, unlabelled, fake):
    """Return D's loss: the cross-entropy of class or FAKE, and -log of "not FAKE"."""
    of_fake = torch.full((len(fake),), 10, device=fake.device)
    source = unlabelled[:, :10].logsumexp(1) - unlabelled[:, 10]
    named = F.cross_entropy(labelled, labels)  # logits
    return named + F.softplus(-source).mean() + F.cross_entropy(fake, of_fake)


mended.why = (
    "The softmax before the cross-entropy leaves numbers between 0 and 1, whose cross-entropy "
    "hardly has a gradient. And 1 - p(FAKE) rounds to 0 where D is sure: its log is minus "
    "infinity. In logits, 1 - p(FAKE) is the sigmoid of logsumexp(l_1..l_10) - l_11."
)


@exercise("11.5", "Implement: which labels may be used")
def kept_rows(keep_few):
    """Expect ``keep_few(labels, each, seed)``, which returns numbers of rows, or a mask."""
    labels = torch.randint(4, (200,))

    def rows(labels, each, seed):
        found = reading.tensor(
            sorted(found) if isinstance(found := keep_few(labels, each, seed), set) else found
        )
        if found.dtype == torch.bool:
            assert found.shape == labels.shape, "the mask needs an entry for each label"
            return found.nonzero().squeeze(1).tolist()
        return found.long().flatten().tolist()

    yield "no row is there twice"
    first = rows(labels, 5, 0)
    assert len({*first}) == len(first), f"{len(first)} rows, {len({*first})} different ones"

    yield "each class has as many as asked for"
    found = torch.bincount(labels[first], minlength=4).tolist()
    assert found == [5] * 4, f"the classes have {found} rows, not 5 each"

    yield "they are the same for ever: in each call, whatever was drawn before"
    torch.rand(7)
    again = rows(labels, 5, 0)
    assert {*again} == {*first}, f"{len({*again} - {*first})} of {len(first)} rows are new: a leak"

    yield "another seed has other rows"
    assert {*rows(labels, 5, 1)} != {*first}, "the seed changes nothing"

    yield "a class with fewer samples than asked for gives all it has"
    short = torch.tensor([0, 1, 1, 1, 2, 2])
    expect(torch.bincount(short[rows(short, 2, 0)], minlength=3), torch.tensor([1, 2, 2]))


@kept_rows.solution
def keep_few(labels, each, seed):
    """Return the rows of the first ``each`` labels of each class, in an order of the seed."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    kept = [order[labels[order] == c][:each] for c in labels.unique()]
    return torch.cat(kept)
