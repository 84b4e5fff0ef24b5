"""The generated parts of the Helm chart: `python -m deploy.helm.build` writes them."""
