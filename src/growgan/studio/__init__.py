"""The browser studio: pictures, edits, walks and runs, looked at without a command for each."""
