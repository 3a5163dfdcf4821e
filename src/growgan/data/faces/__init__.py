"""Faces in photographs: detected, framed as in CelebA-HQ, judged, and made into a set."""
