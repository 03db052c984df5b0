"""Where the dynamic provider was before `pulumi_azureml` was a package: recorded states import it from here."""
