/** Gaps over the size of the volume, both axes logarithmic: ours stays level, theirs climb. */
import type { SizeResult } from "./size-result.ts";

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [640, 420, 50, 50];

/** A panel for each application, side by side, on scales of their own. */
export const plotGaps = (results: readonly SizeResult[]): string => {
  const panels = [...Map.groupBy(results, ({ application }) => application)];
  const drawn = panels.map(
    ([name, ofOne], i) => `<g transform="translate(${i * WIDTH} 0)">${drawPanel(name, ofOne)}</g>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${panels.length * WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join("\n")}
</svg>
`;
};

const drawPanel = (application: string, results: readonly SizeResult[]): string => {
  const lines = [
    { name: "bagage", colour: "#2a7", values: results.map(({ gapMs }) => gapMs) },
    { name: "restic", colour: "#c63", values: results.map(({ peers }) => peers.resticMs) },
    { name: "tar", colour: "#36c", values: results.map(({ peers }) => peers.tarMs) },
    { name: "stop + create + start", colour: "#888", values: results.map((r) => r.peers.engineMs) },
  ];
  const all = lines.flatMap(({ values }) => values);
  const [low, high] = [Math.min(...all) / 1.5, Math.max(...all) * 1.5];
  const sizes = results.map(({ mib }) => mib);
  const x = (mib: number) =>
    LEFT + share(mib, Math.min(...sizes), Math.max(...sizes)) * (WIDTH - 220);
  const y = (ms: number) => HEIGHT - BOTTOM - share(ms, low, high) * (HEIGHT - BOTTOM - 20);
  const drawn = lines.map(({ name, colour, values }) => {
    const points = values.map((ms, i) => [x(sizes[i] ?? 0), y(ms)] as const);
    const [endX, endY] = points.at(-1) ?? [0, 0];
    const path = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
    const label = `${name} ${((values.at(-1) ?? 0) / 1_000).toFixed(2)} s`;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>
<text x="${(endX + 8).toFixed(1)}" y="${(endY + 4).toFixed(1)}" fill="${colour}">${label}</text>`;
  });
  const ticks = sizes.map(
    (mib) =>
      `<text x="${x(mib).toFixed(1)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${mib} MiB</text>`,
  );
  const title = `<text x="${LEFT}" y="16">${application}: seconds without a writer, over the size of its rows</text>`;
  return [title, ...ticks, ...drawn].join("\n");
};

const share = (value: number, low: number, high: number): number =>
  high === low ? 0.5 : Math.log(value / low) / Math.log(high / low);
