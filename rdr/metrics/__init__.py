"""What a paper reports: fidelity, realism and rate, each with its protocol and its uncertainty.

Full-reference metrics take two batches of images and return one number per image (`full_reference`); distances
between sets take feature vectors, in float64, and return a value with its standard error; rate tools take curves.
"""
