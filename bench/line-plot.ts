/** Lines over a common axis as SVG, without a library: for pages that show how something grows. */

export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Panel {
  readonly title: string;
  readonly formatY: (value: number) => string;
  readonly lines: readonly Line[];
}

const PANEL = { width: 420, height: 260, left: 70, top: 40, gap: 60 };
const TICKS = 4;

/** Panels side by side; both axes begin at zero. */
export const plotLines = (panels: readonly Panel[], formatX: (value: number) => string): string => {
  const width = panels.length * (PANEL.width + PANEL.left + PANEL.gap);
  const drawn = panels.map((panel, i) => {
    const left = PANEL.left + i * (PANEL.width + PANEL.left + PANEL.gap);
    return `<g transform="translate(${left} ${PANEL.top})">${drawPanel(panel, formatX)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${PANEL.height + 110}" \
font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join("\n")}
</svg>
`;
};

const drawPanel = (
  { title, formatY, lines }: Panel,
  formatX: (value: number) => string,
): string => {
  const points = lines.flatMap((line) => line.points);
  const most = { x: largest(points.map(({ x }) => x)), y: largest(points.map(({ y }) => y)) };
  const atX = (x: number): string => ((PANEL.width * x) / most.x).toFixed(1);
  const atY = (y: number): string => (PANEL.height - (PANEL.height * y) / most.y).toFixed(1);
  const ticks = Array.from({ length: TICKS + 1 }, (_, i) => i / TICKS).flatMap((part) => {
    const [x, y] = [part * most.x, part * most.y];
    return [
      `<line x1="0" x2="${PANEL.width}" y1="${atY(y)}" y2="${atY(y)}" stroke="#ddd"/>`,
      `<text x="-6" y="${atY(y)}" text-anchor="end" dy="4">${formatY(y)}</text>`,
      `<text x="${atX(x)}" y="${PANEL.height + 18}" text-anchor="middle">${formatX(x)}</text>`,
    ];
  });
  const drawn = lines.flatMap(({ name, colour, points: all }, i) => [
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${all
      .map(({ x, y }) => `${atX(x)},${atY(y)}`)
      .join(" ")}"/>`,
    ...all.map(({ x, y }) => `<circle cx="${atX(x)}" cy="${atY(y)}" r="3" fill="${colour}"/>`),
    `<text x="${i * 130}" y="${PANEL.height + 44}" fill="${colour}">${name}</text>`,
  ]);
  return [`<text y="-14" font-size="14">${title}</text>`, ...ticks, ...drawn].join("\n");
};

const largest = (values: readonly number[]): number => Math.max(1, ...values);
