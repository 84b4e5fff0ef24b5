// The state timeline: Grafana's own is in no package, so this is drawn by hand, with Grafana's colours and words.
import { dateTimeFormat } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';

const AXIS = 24;
const MINUTES = 5;

// Stretches of one value that follow each other without a gap.
function stretches({ values: times }, { values }, { step, to }) {
  const found = [];
  times.forEach((time, index) => {
    const open = found.at(-1);
    if (values[index] === null) return;
    const end = Math.min(time + step, to);
    if (open && open.value === values[index] && open.to >= time) open.to = end;
    else found.push({ from: time, to: end, value: values[index] });
  });
  return found;
}

export function Timeline({ frames, drawn, width, height }) {
  const theme = useTheme2();
  const names = frames.map((frame) => frame.fields[1].state.displayName);
  const left = 10 + 7 * Math.max(...names.map((name) => name.length));
  const tall = (height - AXIS) / frames.length;
  const place = (time) => left + ((time - drawn.from) / (drawn.to - drawn.from)) * (width - left - 10);
  const ticks = [];
  const unit = MINUTES * 60000;
  for (let time = Math.ceil(drawn.from / unit) * unit; time < drawn.to; time += unit) ticks.push(time);
  return (
    <svg width={width} height={height} fill={theme.colors.text.primary} fontSize={12}>
      {ticks.map((time) => (
        <g key={time}>
          <line x1={place(time)} x2={place(time)} y1={0} y2={height - AXIS} stroke={theme.colors.border.weak} />
          <text x={place(time)} y={height - 6} textAnchor="middle">
            {dateTimeFormat(time, { format: 'HH:mm', timeZone: 'utc' })}
          </text>
        </g>
      ))}
      {frames.map(({ fields: [times, values] }, row) => (
        <g key={row} transform={`translate(0 ${row * tall})`}>
          <text x={left - 8} y={tall / 2 + 4} textAnchor="end">
            {names[row]}
          </text>
          {stretches(times, values, drawn).map(({ from, to, value }) => {
            const { color, text } = values.display(value);
            const long = place(to) - place(from);
            return (
              <g key={from} transform={`translate(${place(from)} ${tall * 0.05})`}>
                <rect width={long} height={tall * 0.9} fill={color} fillOpacity={0.7} stroke={color} />
                <text x={6} y={tall * 0.45 + 4} fill={theme.colors.getContrastText(color)}>
                  {long > 8 * text.length ? text : ''}
                </text>
              </g>
            );
          })}
        </g>
      ))}
    </svg>
  );
}
