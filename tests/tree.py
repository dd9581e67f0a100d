"""Overrides of compositions, written short: a test names the models, not where in a tree they are.

`model.*` are settings of the first model, `density.*` of the second step, `step.*` of the two-step
model, `parts.*` of a disconnected model; what stands for none of them stays as it is.
"""


def tree(overrides):
    """The overrides with the whole keys of the tree that they make up.

    >>> tree(["model.latent_dim=3", "density.name=flow", "parts.match=parameters"])
    ['model.name=disconnected', 'model.part.name=two_step', \
'model.part.autoencoder.latent_dim=3', 'model.part.density.name=flow', 'model.match=parameters']
    """
    kinds = {text.split(".", 1)[0] for text in overrides}
    base = "model.part" if "parts" in kinds else "model"
    two = bool({"density", "step"} & kinds)
    first = f"{base}.autoencoder" if two else base
    homes = {"model": first, "density": f"{base}.density", "step": base, "parts": "model"}
    found = ["model.name=disconnected"] if "parts" in kinds else []
    found += [f"{base}.name=two_step"] if two else []
    for text in overrides:
        kind, _, rest = text.partition(".")
        if not (kind == "parts" and not rest):
            found.append(f"{homes[kind]}.{rest}" if kind in homes else text)
    return found
