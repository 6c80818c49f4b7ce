"""Keep objects under a retention lock, in a folder or in S3, with replicas."""
