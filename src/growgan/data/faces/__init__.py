"""Faces in photographs: found, framed as CelebA-HQ frames them, judged, and made into a set."""
