/** One or more curves over the images shown, as SVG. */
import { html } from "./html.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [560, 170, 46, 22, 8];

/**
 * @param {{title: string, lines: {name: string, x: number[], y: (number|null)[], dashed?: boolean}[],
 *   end: number, stages: {resolution: number, start: number, end: number}[]}} props  x in images shown
 */
export function Chart({ title, lines, end, stages }) {
  const values = lines.flatMap((line) => line.y.filter(Number.isFinite));
  if (!values.length) return null;
  const lasts = lines.map((line) => [line.name, line.y.findLast(Number.isFinite)]).filter(([, value]) => value !== undefined);
  const told = lasts.map(([name, value]) => `${name} ${short(value)}`.trim()).join(", ");
  const [low, high] = spread(values);
  const x = (nimg) => LEFT + ((WIDTH - LEFT - 6) * nimg) / Math.max(end, 1);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low));
  return html`<figure class="chart">
    <figcaption>${title} ${lines.map((line, i) => html`<span key=${line.name} class=${`key line${i}${line.dashed ? " dashed" : ""}`}>${line.name}</span>`)} <span class="last">now ${told}</span></figcaption>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`${title}: now ${told}`}>
      ${stages.map((stage, i) => html`<g key=${stage.resolution}>
        <rect class=${`stage${i % 2}`} x=${x(stage.start)} y=${TOP} width=${Math.max(0, x(Math.min(stage.end, end)) - x(stage.start))} height=${HEIGHT - TOP - BOTTOM} />
        <text x=${x(stage.start) + 4} y=${TOP + 11}>${stage.resolution}</text></g>`)}
      ${ticks(low, high).map((value) => html`<g key=${value}>
        <line class="rule" x1=${LEFT} x2=${WIDTH - 6} y1=${y(value)} y2=${y(value)} />
        <text x=${LEFT - 5} y=${y(value) + 3} text-anchor="end">${short(value)}</text></g>`)}
      ${ticks(0, end / 1000).map((kimg) => html`<text key=${kimg} x=${x(kimg * 1000)} y=${HEIGHT - 7} text-anchor="middle">${short(kimg)}</text>`)}
      ${lines.map((line, i) => html`<path key=${line.name} class=${`line${i}${line.dashed ? " dashed" : ""}`} d=${path(line, x, y)} />`)}
    </svg>
  </figure>`;
}

/** Lowest and highest value drawn: a spike of a few points does not flatten the rest. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part) => sorted[Math.round(part * (sorted.length - 1))];
  const few = sorted.length < 50;
  const [low, high] = few ? [sorted[0], sorted.at(-1)] : [at(0.005), at(0.995)];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

/** Round numbers within a range, four to nine of them. */
export function ticks(low, high) {
  const rough = (high - low) / 5;
  if (!(rough > 0)) return [];
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((times) => times * unit >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

const short = (value) => (Math.abs(value) >= 1000 ? `${Number((value / 1000).toPrecision(3))}k` : String(Number(value.toPrecision(3))));

function path(line, x, y) {
  let text = "";
  line.x.forEach((nimg, i) => {
    if (Number.isFinite(line.y[i])) text += `${text ? "L" : "M"}${x(nimg).toFixed(1)} ${y(line.y[i]).toFixed(1)}`;
  });
  return text;
}
