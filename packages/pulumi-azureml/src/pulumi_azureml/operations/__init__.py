"""What is done in Azure ML for each kind of asset."""
