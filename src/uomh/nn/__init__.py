"""Building blocks of models: networks, priors, transforms with their log-determinants."""
