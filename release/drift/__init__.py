"""`release report-drift`: one issue that says what others changed in Azure."""
