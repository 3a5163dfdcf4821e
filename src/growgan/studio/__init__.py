"""The browser studio: viewing pictures, edits, walks and runs without a command for each."""
