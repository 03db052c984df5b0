"""The gate's decision about a trained model: read it from a job, show it, and download its report."""
