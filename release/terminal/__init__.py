"""What a user of the release sees: previews, the progress of an update, the closing summary."""
