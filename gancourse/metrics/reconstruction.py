"""How near a generator can come to a given picture: its noise is searched by gradient descent.

Xiang & Li 2017, arXiv 1704.03971, section 4, judge generators by this distance on held-out
pictures. It rewards coverage and not realism: the mean of some pictures is near to all of them.
"""

import torch

from gancourse.errors import CourseError, check_whole


def reconstruct(generate, targets, latent_dim, *, starts=3, steps=100, lr=0.1, limit=None, seed=0):
    """Search the noise whose sample is nearest to each target.

    Parameters
    ----------
    generate : callable
        ``generate(z)`` returns samples (N, C, H, W) in [-1, 1] of z, (N, latent_dim), and can be
        differentiated; in evaluation mode, so that a sample does not depend on the others.
    targets : float torch.Tensor, (N, C, H, W) in [-1, 1]
    latent_dim : int
        Numbers in z.
    starts : int
        How many searches begin for each target, from other noise; the nearest end counts. The
        distance has local minima.
    steps : int
        Updates of Adam in each search.
    lr : float
        Adam's step size.
    limit : float, optional
        z stays within [-limit, limit], for noise that is uniform there.
    seed : int
        Of the noise at the start: normal, or uniform within the limit.

    Returns
    -------
    distances : float32 torch.Tensor, (N,)
        The mean squared difference of a target and its nearest sample found, in values of
        [-1, 1]: from 0 to 4.
    z : float32 torch.Tensor, (N, latent_dim)
        Where it was found.

    Raises
    ------
    CourseError
        If a count is below 1, or samples have another shape than the targets.
    """
    for name, value in {"starts": starts, "steps": steps, "latent_dim": latent_dim}.items():
        check_whole(name, value, 1)
    device, n = targets.device, len(targets)
    generator = torch.Generator().manual_seed(seed)
    shape = (starts, n, latent_dim)
    if limit is None:
        z = torch.randn(shape, generator=generator)
    else:
        z = (torch.rand(shape, generator=generator) * 2 - 1) * limit
    z = z.flatten(0, 1).to(device).requires_grad_(True)
    wanted = targets.repeat(starts, 1, 1, 1)
    optimizer = torch.optim.Adam([z], lr=lr)
    best = torch.full((starts * n,), float("inf"), device=device)
    found = z.detach().clone()
    for step in range(steps + 1):
        fake = generate(z)
        if fake.shape != wanted.shape:
            raise CourseError(
                f"samples of {tuple(fake.shape[1:])} cannot be compared with targets of "
                f"{tuple(targets.shape[1:])}"
            )
        distance = (fake - wanted).square().flatten(1).mean(1)
        with torch.no_grad():
            better = distance < best
            best = torch.where(better, distance, best)
            found = torch.where(better[:, None], z, found)
        if step == steps:
            break
        # A sum, so that each search is as it would be alone.
        (z.grad,) = torch.autograd.grad(distance.sum(), z)
        optimizer.step()
        if limit is not None:
            with torch.no_grad():
                z.clamp_(-limit, limit)
    best, found = best.view(starts, n), found.view(starts, n, latent_dim)
    nearest = best.argmin(0)
    rows = torch.arange(n, device=device)
    return best[nearest, rows].detach(), found[nearest, rows].detach()
