"""What shows the policy's requirements: the elements of the models, and the tests that name them."""
