"""Right and wrong answers to the exercises of lesson 11."""

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises.lesson_11 import broken_loss

answers = Answers(11)


@answers.accept("11.1")
def by_binary_cross_entropy(real, fake):
    one, zero = torch.ones(len(real)), torch.zeros(len(fake))
    bce = F.binary_cross_entropy_with_logits
    return bce(torch.logsumexp(real, -1), one) + bce(torch.logsumexp(fake, -1), zero)


@answers.accept("11.1")
def with_an_eleventh_logit_of_0(real, fake):
    p_real, p_fake = (F.pad(x, (0, 1)).log_softmax(1) for x in (real, fake))
    return -p_real[:, :-1].logsumexp(1).mean() - p_fake[:, -1].mean()


@answers.accept("11.1")
def by_logsigmoid(real, fake):
    return -F.logsigmoid(real.logsumexp(1)).mean() - F.logsigmoid(-fake.logsumexp(1)).mean()


@answers.accept("11.1")
def as_the_authors_write_it(real, fake):
    l_real, l_fake = real.logsumexp(1), fake.logsumexp(1)
    return -l_real.mean() + F.softplus(l_real).mean() + F.softplus(l_fake).mean()


@answers.accept("11.1")
def by_logaddexp(real, fake):
    zero = torch.zeros(())
    first = torch.logaddexp(zero, -torch.logsumexp(real, 1)).sum() / len(real)
    return first + torch.logaddexp(zero, torch.logsumexp(fake, 1)).sum() / len(fake)


@answers.refuse("11.1")
def by_the_largest_logit(real, fake):
    return F.softplus(-real.amax(1)).mean() + F.softplus(fake.amax(1)).mean()


@answers.refuse("11.1")
def by_probabilities(real, fake):
    d_real, d_fake = (x.exp().sum(1) / (x.exp().sum(1) + 1) for x in (real, fake))
    return -d_real.log().mean() - (1 - d_fake).log().mean()


@answers.refuse("11.1")
def half_as_large(real, fake):
    return by_logsigmoid(real, fake) / 2


@answers.refuse("11.1")
def with_the_roles_exchanged(real, fake):
    return by_logsigmoid(fake, real)


@answers.refuse("11.1")
def by_the_sum_of_the_logits(real, fake):
    return F.softplus(-real.sum(1)).mean() + F.softplus(fake.sum(1)).mean()


@answers.refuse("11.1")
def without_a_gradient(real, fake):
    return by_logsigmoid(real, fake).detach()


@answers.accept("11.2")
def by_mse_loss(real, fake):
    return F.mse_loss(fake.mean(0), real.mean(0))


@answers.accept("11.2")
def by_a_norm(real, fake):
    return torch.linalg.vector_norm(real.mean(0) - fake.mean(0)).pow(2) / real.shape[1]


@answers.accept("11.2")
def by_a_product(real, fake):
    gap = real.sum(0) / len(real) - fake.sum(0) / len(fake)
    return gap @ gap / len(gap)


@answers.accept("11.2")
def in_a_python_loop_over_units(real, fake):
    columns = zip(real.T, fake.T, strict=True)
    return sum((a.mean() - b.mean()) ** 2 for a, b in columns) / real.shape[1]


@answers.accept("11.2")
def with_the_means_as_ones_times_features(real, fake):
    means = [torch.full((len(x),), 1 / len(x)) @ x for x in (real, fake)]
    return (means[0] - means[1]).square().mean()


@answers.refuse("11.2")
def sample_by_sample(real, fake):
    n = min(len(real), len(fake))
    return (real[:n] - fake[:n]).square().mean()


@answers.refuse("11.2")
def the_sum_over_the_features(real, fake):
    return (real.mean(0) - fake.mean(0)).square().sum()


@answers.refuse("11.2")
def the_absolute_difference(real, fake):
    return (real.mean(0) - fake.mean(0)).abs().mean()


@answers.refuse("11.2")
def means_over_everything(real, fake):
    return (real.mean() - fake.mean()).square()


@answers.refuse("11.2")
def with_detached_fakes(real, fake):
    return (real.mean(0) - fake.detach().mean(0)).square().mean()


@answers.refuse("11.2")
def means_over_the_units(real, fake):
    n = min(len(real), len(fake))
    return (real.mean(1)[:n] - fake.mean(1)[:n]).square().mean()


answers.accept(
    "11.3",
    {"all_zero": 10 / 11, "undecided": -np.log(10), "both_raised": 0},
    {"all_zero": "0.909", "undecided": "−2.303", "both_raised": "0"},
    {"all_zero": torch.tensor(0.909), "undecided": torch.tensor([-2.3026]), "both_raised": 0.0},
    {"all_zero": "90.9 %", "undecided": "-2.30", "both_raised": [0]},
    {"undecided": np.float32(-2.3), "both_raised": False, "all_zero": 0.91},
)
answers.refuse(
    "11.3",
    {"all_zero": 0.5, "undecided": -2.303, "both_raised": 0},
    {"all_zero": 0.909, "undecided": 0.0, "both_raised": 0},
    {"all_zero": 0.909, "undecided": 2.303, "both_raised": 0},
    {"all_zero": 0.909, "undecided": -2.303, "both_raised": 3},
    {"all_zero": 0.1, "undecided": -2.303, "both_raised": 0},
    {"all_zero": 0.909, "undecided": -2.303},
)


@answers.accept("11.4")
def with_eleven_log_probabilities(labelled, labels, unlabelled, fake):
    named = F.nll_loss(labelled.log_softmax(1), labels)
    real = unlabelled.log_softmax(1)[:, :10].logsumexp(1)
    return named - real.mean() - fake.log_softmax(1)[:, 10].mean()


@answers.accept("11.4")
def by_log_sum_exps(labelled, labels, unlabelled, fake):
    named = (labelled.logsumexp(1) - labelled.gather(1, labels[:, None])[:, 0]).mean()
    real = (unlabelled.logsumexp(1) - unlabelled[:, :10].logsumexp(1)).mean()
    return named + real + (fake.logsumexp(1) - fake[:, -1]).mean()


@answers.accept("11.4")
def from_logits_against_fake(labelled, labels, unlabelled, fake):
    labelled, unlabelled, fake = (x - x[:, 10:] for x in (labelled, unlabelled, fake))
    source = [x[:, :10].logsumexp(1) for x in (unlabelled, fake)]
    named = F.cross_entropy(labelled, labels)
    return named + F.softplus(-source[0]).mean() + F.softplus(source[1]).mean()


@answers.accept("11.4")
def with_one_hot_targets(labelled, labels, unlabelled, fake):
    target = F.one_hot(labels, 11).float()
    last = F.one_hot(torch.full((len(fake),), 10), 11).float()
    source = unlabelled[:, :-1].logsumexp(1) - unlabelled[:, -1]
    named = F.cross_entropy(labelled, target) + F.cross_entropy(fake, last)
    return named - F.logsigmoid(source).mean()


@answers.accept("11.4")
def in_parts_that_are_summed(labelled, labels, unlabelled, fake):
    def not_fake(x):
        return x[:, :10].logsumexp(1) - x.logsumexp(1)

    parts = [F.cross_entropy(labelled, labels), F.cross_entropy(fake, 0 * labels + 10)]
    return torch.stack([*parts, -not_fake(unlabelled).mean()]).sum()


answers.refuse("11.4", broken_loss)


@answers.refuse("11.4")
def still_rounding_to_0(labelled, labels, unlabelled, fake):
    not_fake = -(1 - unlabelled.softmax(1)[:, 10]).log().mean()
    return F.cross_entropy(labelled, labels) + not_fake + F.cross_entropy(fake, 0 * labels + 10)


@answers.refuse("11.4")
def clamped(labelled, labels, unlabelled, fake):
    not_fake = -(1 - unlabelled.softmax(1)[:, 10]).clamp(min=1e-7).log().mean()
    return F.cross_entropy(labelled, labels) + not_fake + F.cross_entropy(fake, 0 * labels + 10)


@answers.refuse("11.4")
def still_with_the_softmax(labelled, labels, unlabelled, fake):
    named = F.cross_entropy(labelled.softmax(1), labels)
    return mended_but_for(named, labels, unlabelled, fake)


def mended_but_for(named, labels, unlabelled, fake):
    source = unlabelled[:, :10].logsumexp(1) - unlabelled[:, 10]
    return named + F.softplus(-source).mean() + F.cross_entropy(fake, 0 * labels + 10)


@answers.refuse("11.4")
def without_the_class_fake_among_the_labelled(labelled, labels, unlabelled, fake):
    return mended_but_for(F.cross_entropy(labelled[:, :10], labels), labels, unlabelled, fake)


@answers.refuse("11.4")
def without_the_fakes(labelled, labels, unlabelled, fake):
    return mended_but_for(F.cross_entropy(labelled, labels), labels, unlabelled, fake) - (
        F.cross_entropy(fake, 0 * labels + 10)
    )


@answers.accept("11.5")
def as_a_mask(labels, each, seed):
    mask = torch.zeros(len(labels), dtype=torch.bool)
    g = torch.Generator().manual_seed(seed + 5)
    for c in range(int(labels.max()) + 1):
        own = (labels == c).nonzero()[:, 0]
        mask[own[torch.randperm(len(own), generator=g)[:each]]] = True
    return mask


@answers.accept("11.5")
def with_numpy(labels, each, seed):
    rng, y = np.random.default_rng(seed), labels.numpy()
    kept = [rng.permutation(np.flatnonzero(y == c))[:each] for c in np.unique(y)]
    return np.concatenate(kept)


@answers.accept("11.5")
def as_a_set(labels, each, seed):
    return {*with_numpy(labels, each, seed).tolist()}


@answers.accept("11.5")
def as_a_list_met_in_order(labels, each, seed):
    order = np.random.RandomState(seed).permutation(len(labels))
    met, kept = {}, []
    for row in order.tolist():
        c = labels[row].item()
        met[c] = met.get(c, 0) + 1
        if met[c] <= each:
            kept.append(row)
    return kept


@answers.accept("11.5")
def by_random_keys(labels, each, seed):
    key = torch.rand(len(labels), generator=torch.Generator().manual_seed(seed))
    rank = ((labels[:, None] == labels) & (key < key[:, None])).sum(1)
    return rank < each


@answers.refuse("11.5")
def other_rows_in_each_call(labels, each, seed):
    order = torch.randperm(len(labels))
    return torch.cat([order[labels[order] == c][:each] for c in labels.unique()])


@answers.refuse("11.5")
def with_replacement(labels, each, seed):
    g = torch.Generator().manual_seed(seed)
    own = [(labels == c).nonzero()[:, 0] for c in labels.unique()]
    return torch.cat([rows[torch.randint(len(rows), (each,), generator=g)] for rows in own])


@answers.refuse("11.5")
def without_balance(labels, each, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randperm(len(labels), generator=g)[: each * len(labels.unique())]


@answers.refuse("11.5")
def without_the_seed(labels, each, seed):
    return torch.cat([(labels == c).nonzero()[:each, 0] for c in labels.unique()])


@answers.refuse("11.5")
def one_too_many(labels, each, seed):
    return with_numpy(labels, each + 1, seed)


test_right, test_wrong, test_enough = answers.tests()
