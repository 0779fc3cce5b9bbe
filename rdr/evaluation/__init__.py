"""What is measured of a codec: metrics, rate-distortion curves, contact sheets and tables."""
