// The page: a dashboard's panels on Grafana's grid. `window.DRAWN` holds the dashboard and the answers (answers.py).
import { createTheme } from '@grafana/data';
import { GlobalStyles, PanelChrome, ThemeContext } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { Bars, Heading } from './bars.jsx';
import { framesOf } from './frames.js';
import { marksOf } from './marks.js';
import { Body } from './panels.jsx';

const GAP = 8;
const MARGIN = 16;

const drawn = window.DRAWN;
const theme = createTheme({ colors: { mode: 'dark' } });

// "3 minutes ago" is from the end of the time range, whenever the picture is taken.
Date.now = () => drawn.to;

const column = (drawn.width - 2 * MARGIN + GAP) / 24;

// Text on the graphs is drawn once and does not wait for a font, so the fonts come first.
const FONTS = { 400: 'Inter-Regular', 500: 'Inter-Medium' };
const loadFonts = () =>
  Promise.all(
    Object.entries(FONTS).map(async ([weight, name]) => {
      const font = new FontFace('Inter', `url(/public/fonts/inter/${name}.woff2)`, { weight });
      document.fonts.add(await font.load());
    }),
  );

function placed({ gridPos: { x, y, w, h } }) {
  return { left: MARGIN + x * column, top: drawn.bar + y * drawn.unit, width: w * column - GAP, height: h * drawn.unit - GAP };
}

function Panel({ panel, frames, marks }) {
  const { width, height } = placed(panel);
  return (
    <PanelChrome title={panel.title} description={panel.description} width={width} height={height} padding="sm">
      {(width, height) => <Body {...{ panel, frames, drawn, marks, width, height }} />}
    </PanelChrome>
  );
}

async function main() {
  const marks = marksOf(drawn, theme);
  const { panels } = drawn.dashboard;
  const frames = await Promise.all(panels.map((panel) => (panel.type === 'row' ? [] : framesOf(panel, drawn, theme))));
  await loadFonts();
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Bars drawn={drawn} />
      {panels.map((panel, index) => (
        <div key={panel.id} style={{ position: 'absolute', ...placed(panel) }}>
          {panel.type === 'row' ? <Heading row={panel} /> : <Panel {...{ panel, frames: frames[index], marks }} />}
        </div>
      ))}
    </ThemeContext.Provider>,
  );
}

main().catch((error) => console.error(error.stack));
