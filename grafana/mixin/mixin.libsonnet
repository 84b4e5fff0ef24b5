// The alerts, recording rules and dashboards of the Flatfile exporter. `_config` has the settings of settings.yaml.
{
  _config+:: std.parseYaml(importstr 'settings.yaml') { optional: false },

  local config = self._config,
  local filled = std.foldl(
    function(text, name) std.strReplace(text, '<<' + name + '>>', std.toString(config[name])),
    std.objectFields(config),
    importstr 'rules.yaml',
  ),
  local groups(records) = [
    group
    for group in std.parseYaml(filled).groups
    if std.objectHas(group.rules[0], 'record') == records
    if config.optional || !std.startsWith(group.name, 'flatfile-optional')
  ],

  prometheusAlerts+:: { groups+: groups(false) },
  prometheusRules+:: { groups+: groups(true) },
  grafanaDashboards+:: {
    'flatfile-agents.json': import '../dashboards/flatfile-agents.json',
    'flatfile-environments.json': import '../dashboards/flatfile-environments.json',
    'flatfile-events.json': import '../dashboards/flatfile-events.json',
    'flatfile-exporter.json': import '../dashboards/flatfile-exporter.json',
    'flatfile-overview.json': import '../dashboards/flatfile-overview.json',
  },
}
