// What Grafana shows around the panels, made by hand: name, time range, variables, links, and headings of rows.
import { dateTimeFormat } from '@grafana/data';
import { Icon, InlineSwitch, ToolbarButton, useTheme2 } from '@grafana/ui';

function Variable({ label, value }) {
  const theme = useTheme2();
  const box = { padding: '5px 8px', border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2 };
  return (
    <div style={{ display: 'flex', alignItems: 'center', fontSize: 13, whiteSpace: 'nowrap' }}>
      <div style={{ ...box, background: theme.colors.background.secondary, fontWeight: 500 }}>{label}</div>
      <div style={{ ...box, background: theme.components.input.background, borderLeft: 0, minWidth: 80 }}>
        {value} <Icon name="angle-down" style={{ float: 'right', marginTop: 2 }} />
      </div>
    </div>
  );
}

export function Bars({ drawn }) {
  const theme = useTheme2();
  const { dashboard, width, bar } = drawn;
  const line = { display: 'flex', alignItems: 'center', gap: 8, padding: '0 16px' };
  const time = (at) => dateTimeFormat(at, { format: 'YYYY-MM-DD HH:mm:ss', timeZone: 'utc' });
  return (
    <div style={{ width, height: bar, color: theme.colors.text.primary, fontSize: 14 }}>
      <div style={{ ...line, height: 56, background: theme.colors.background.primary, borderBottom: `1px solid ${theme.colors.border.weak}` }}>
        <span style={{ color: theme.colors.text.secondary }}>Dashboards</span>
        <Icon name="angle-right" />
        <span style={{ color: theme.colors.text.secondary }}>Flatfile</span>
        <Icon name="angle-right" />
        <span style={{ flexGrow: 1 }}>{dashboard.title}</span>
        <ToolbarButton icon="clock-nine" isOpen={false} variant="canvas">
          {time(drawn.from)} to {time(drawn.to)} UTC
        </ToolbarButton>
        <ToolbarButton icon="sync" isOpen={false} variant="canvas">
          {dashboard.refresh}
        </ToolbarButton>
      </div>
      <div style={{ ...line, height: bar - 56 }}>
        {dashboard.templating.list.map(({ name, label, type, current }) => (
          <Variable key={name} label={label} value={type === 'datasource' ? 'Prometheus' : current.text} />
        ))}
        {dashboard.annotations.list.map(({ name, enable }) => (
          <InlineSwitch key={name} label={name} showLabel value={enable} readOnly />
        ))}
        <div style={{ flexGrow: 1 }} />
        {dashboard.links.map(({ title }) => (
          <ToolbarButton key={title} icon="bars" isOpen={false} variant="canvas">
            {title}
          </ToolbarButton>
        ))}
      </div>
    </div>
  );
}

export function Heading({ row }) {
  const theme = useTheme2();
  return (
    <div style={{ display: 'flex', alignItems: 'center', gap: 8, height: '100%', color: theme.colors.text.primary }}>
      <Icon name={row.collapsed ? 'angle-right' : 'angle-down'} />
      <span style={{ fontSize: 18 }}>{row.title}</span>
      {row.collapsed && <span style={{ color: theme.colors.text.secondary }}>({row.panels.length} {row.panels.length === 1 ? 'panel' : 'panels'})</span>}
    </div>
  );
}
