// What is inside each kind of panel, with the component and the settings that Grafana uses for it.
import { dateTime, getFieldDisplayValues, renderMarkdown } from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { drawMarks } from './marks.js';
import { Timeline } from './timeline.jsx';

const longest = (texts) => texts.reduce((found, text) => (text && text.length > found.length ? text : found), '');

function Figures({ panel, frames, width, height }) {
  const theme = useTheme2();
  const { options } = panel;
  const isStat = panel.type === 'stat';
  const getValues = () =>
    getFieldDisplayValues({
      fieldConfig: panel.fieldConfig,
      reduceOptions: options.reduceOptions,
      replaceVariables: (text) => text,
      theme,
      data: frames,
      sparkline: isStat && options.graphMode !== 'none',
      timeZone: 'utc',
    });
  const common = (width, height, alignmentFactors) => ({ width, height, alignmentFactors, theme });
  return (
    <VizRepeater
      getValues={getValues}
      getAlignmentFactors={(values) => ({
        title: longest(values.map(({ display }) => display.title)),
        text: longest(values.map(({ display }) => display.text)),
      })}
      source={frames}
      renderCounter={0}
      autoGrid={isStat}
      orientation={isStat ? 'auto' : options.orientation}
      itemSpacing={isStat ? 3 : 8}
      width={width}
      height={height}
      renderValue={({ value, width, height, alignmentFactors, count }) =>
        isStat ? (
          <BigValue
            {...common(width, height, alignmentFactors)}
            value={value.display}
            sparkline={value.sparkline}
            count={count}
            colorMode={options.colorMode}
            graphMode={options.graphMode}
            justifyMode={options.justifyMode}
            textMode={options.textMode}
            disableWideLayout={!options.wideLayout}
          />
        ) : (
          <BarGauge
            {...common(width, height, alignmentFactors)}
            value={value.display}
            field={value.field}
            display={value.view?.getFieldDisplayProcessor(value.colIndex)}
            orientation={options.orientation}
            displayMode={options.displayMode}
            itemSpacing={8}
            lcdCellWidth={12}
            showUnfilled
          />
        )
      }
    />
  );
}

const LINE = {
  axisPlacement: 'auto', drawStyle: 'line', lineInterpolation: 'linear', hideFrom: {}, scaleDistribution: { type: 'linear' },
};

// Each configuration of a plot gets the marks once, however often React draws.
const marked = new WeakSet();

function Graph({ panel, frames, drawn, marks, width, height }) {
  for (const frame of frames) {
    // Grafana shows the points of lines with few of them; the package's component would show them on all.
    const showPoints = panel.fieldConfig.defaults.custom.showPoints === 'always' ? 'always' : 'never';
    for (const field of frame.fields) {
      field.config.custom = { ...LINE, ...panel.fieldConfig.defaults.custom, ...field.config.custom, showPoints };
    }
  }
  const [from, to] = [dateTime(drawn.from), dateTime(drawn.to)];
  return (
    <TimeSeries
      frames={frames}
      structureRev={1}
      timeRange={{ from, to, raw: { from, to } }}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
      width={width}
      height={height}
    >
      {(builder) => {
        if (!marked.has(builder)) builder.addHook('draw', (plot) => drawMarks(plot, marks));
        marked.add(builder);
      }}
    </TimeSeries>
  );
}

function Empty({ panel, width, height }) {
  const theme = useTheme2();
  const place = { width, height, display: 'flex', alignItems: 'center', justifyContent: 'center' };
  return <div style={{ ...place, color: theme.colors.text.secondary }}>{panel.fieldConfig.defaults.noValue}</div>;
}

export function Body(props) {
  const { panel, frames, width, height } = props;
  if (panel.type === 'stat') return <Figures {...props} />;
  if (panel.type === 'text') {
    return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: renderMarkdown(panel.options.content) }} />;
  }
  if (!frames.length) return <Empty {...props} />;
  switch (panel.type) {
    case 'bargauge':
      return <Figures {...props} />;
    case 'timeseries':
      return <Graph {...props} />;
    case 'state-timeline':
      return <Timeline {...props} />;
    case 'table':
      return (
        <TableNG
          data={frames[0]}
          fieldConfig={panel.fieldConfig}
          sortBy={panel.options.sortBy}
          cellHeight={panel.options.cellHeight}
          enableVirtualization={false}
          getActions={() => []}
          structureRev={1}
          width={width}
          height={height}
        />
      );
    default:
      throw new Error(`no drawing of ${panel.type}`);
  }
}
