// Annotations: the marks on every graph. Grafana draws them itself, in code that is in no package; this is drawn by hand.

// Times of one series: a mark for each value where the value is the time, else one for as long as the series is there.
function spans({ values }, annotation, step) {
  const times = values.map(([seconds, value]) => (annotation.useValueForTime ? Number(value) : seconds * 1000));
  const found = [];
  for (const time of times) {
    const open = found.at(-1);
    if (open && time <= open.to + step) open.to = time;
    else found.push({ from: time, to: time });
  }
  return found;
}

export function marksOf(drawn, theme) {
  return drawn.dashboard.annotations.list.flatMap((annotation, index) =>
    drawn.annotations[index]
      .flatMap((series) => spans(series, annotation, drawn.annotationStep))
      .filter(({ from, to }) => annotation.enable && to >= drawn.from && from <= drawn.to)
      .map((span) => ({ ...span, colour: theme.visualization.getColorByName(annotation.iconColor) })),
  );
}

// To be called by uPlot at each drawing: dashed lines, a shade between them, and a tip below the axis.
export function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  const bottom = bbox.top + bbox.height;
  const place = (time) => Math.max(bbox.left, Math.min(bbox.left + bbox.width, plot.valToPos(time, 'x', true)));
  ctx.save();
  for (const { from, to, colour } of marks) {
    const [left, right] = [place(from), place(to)];
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.lineWidth = 2 * ratio;
    ctx.globalAlpha = 0.1;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.globalAlpha = 1;
    ctx.setLineDash([5 * ratio, 5 * ratio]);
    ctx.beginPath();
    for (const x of new Set([left, right])) {
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bottom);
    }
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(left - 5 * ratio, bottom + 5 * ratio);
    ctx.lineTo(left, bottom);
    ctx.lineTo(right, bottom);
    ctx.lineTo(right + 5 * ratio, bottom + 5 * ratio);
    ctx.fill();
  }
  ctx.restore();
}
