"""Write the chart's generated files: copies of rules and dashboards, the schema of the configuration."""

from deploy.helm.build import copies, schema


def main() -> None:
    copies.write()
    schema.write()


if __name__ == "__main__":
    main()
