"""What the tests of pulumi-azureml share: small projects of assets, a fake endpoint, faults done to every kind."""
