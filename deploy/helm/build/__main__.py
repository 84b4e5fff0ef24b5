"""Write the chart's generated files: copies of rules and dashboards, the README's table, the schema of the configuration."""

from deploy.helm.build import copies, readme, schema


def main() -> None:
    copies.write()
    readme.write()
    schema.write()


if __name__ == "__main__":
    main()
