"""The signed chains of manifests of an output: what each run, window and change put there and took away."""
