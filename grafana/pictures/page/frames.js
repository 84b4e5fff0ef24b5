// Prometheus' answers as the data frames that Grafana's components take.
import {
  FieldConfigOptionsRegistry,
  FieldType,
  applyFieldOverrides,
  getFieldDisplayName,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

// One of them is there under two names.
const transformers = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));
standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((one) => ({ id: one.id, name: one.name, transformation: async () => one })),
);

// Grafana's panels register what their field settings are; here, settings pass as they are written.
const SETTINGS = [
  'unit', 'decimals', 'min', 'max', 'mappings', 'thresholds', 'color', 'noValue', 'links', 'displayName',
  'custom.cellOptions', 'custom.width', 'custom.minWidth', 'custom.filterable', 'custom.align', 'custom.lineStyle',
];
const registry = new FieldConfigOptionsRegistry();
for (const id of SETTINGS) {
  const isCustom = id.startsWith('custom.');
  const path = id.replace('custom.', '');
  registry.register({ id, path, name: id, isCustom, process: (value) => value, shouldApply: () => true, settings: {} });
}

export const named = (template, labels) => template.replace(/{{\s*(\w+)\s*}}/g, (_, label) => labels[label] ?? '');

// One row a series; the value's column is called "Value" where one query alone has an answer.
function tableFrame(target, series, several) {
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.metric)))].sort();
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: series.map((one) => one.value[0] * 1000) },
      ...labels.map((name) => ({ name, type: FieldType.string, values: series.map((one) => one.metric[name] ?? '') })),
      {
        name: several ? `Value #${target.refId}` : 'Value',
        type: FieldType.number,
        values: series.map((one) => Number(one.value[1])),
      },
    ],
  });
}

// One frame a series, with an empty point where a step has no answer, so that the line is broken there.
function seriesFrame(target, one, step) {
  const times = [];
  const values = [];
  for (const [seconds, value] of one.values ?? [one.value]) {
    const time = seconds * 1000;
    if (times.length && time - times.at(-1) > step * 1.5) {
      times.push(times.at(-1) + step);
      values.push(null);
    }
    times.push(time);
    values.push(Number(value));
  }
  const config = { displayNameFromDS: named(target.legendFormat ?? '', one.metric) };
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: times },
      { name: 'Value', type: FieldType.number, labels: one.metric, config, values },
    ],
  });
}

// The frames of a panel, transformed, with units, colours, names and links in place.
export async function framesOf(panel, drawn, theme) {
  const answers = drawn.panels[panel.id] ?? {};
  const several = Object.values(answers).filter((series) => series.length).length > 1;
  let frames = (panel.targets ?? []).flatMap((target) => {
    const series = answers[target.refId];
    if (target.format !== 'table') return series.map((one) => seriesFrame(target, one, drawn.step));
    return series.length ? [tableFrame(target, series, several)] : [];
  });
  if (panel.transformations?.length) {
    frames = await lastValueFrom(transformDataFrame(panel.transformations, frames, { interpolate: (text) => text }));
  }
  const done = applyFieldOverrides({
    data: frames,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registry,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  for (const frame of done) {
    for (const field of frame.fields) field.state = { ...field.state, displayName: getFieldDisplayName(field, frame, done) };
  }
  return done;
}
