// Draws every figure with data-chart from the table that it names. The table is the truth; the
// picture is made again when it changes.

import { colours, font } from "./colours.js";

const drawn = new Map();

const SECONDS = { minute: 60, hour: 3600, day: 86_400, year: 31_536_000 };
// The distance of two ticks, what stands at each, and what stands where the day or the year begins.
const TIMES = [
  [SECONDS.year, "{YYYY}", null, null, null, null, null, null, 1],
  [SECONDS.day, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [SECONDS.minute, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
];

function read(table) {
  const heads = [...table.tHead.rows[0].cells].slice(1);
  const rows = [...table.tBodies[0].rows];
  return {
    heads: heads.map((cell) => ({ name: cell.textContent, colour: cell.dataset.colour })),
    times: rows.map((row) => Number(row.dataset.at)),
    values: heads.map((_, column) => rows.map((row) => Number(row.cells[column + 1].dataset.value))),
  };
}

function stacked(values) {
  // The highest is painted first, so that each lower one covers its own part.
  return values.map((_, level) => values[0].map((__, row) => values.slice(0, level + 1).reduce((sum, one) => sum + one[row], 0)));
}

function options(figure, table, kind) {
  const palette = colours();
  const { heads, values } = table;
  const axis = {
    stroke: palette.muted,
    font: `12px ${font()}`,
    grid: { stroke: palette.line, width: 1 },
    ticks: { stroke: palette.line, width: 1, size: 4 },
  };
  const bars = uPlot.paths.bars({ size: [0.72, 28], align: 0 });
  const order = heads.map((_, index) => index);
  if (kind === "stack") order.reverse();
  const whole = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
  return {
    order,
    settings: {
      width: figure.clientWidth - 16,
      height: figure.clientHeight - 46,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      padding: [8, 22, 0, 0],
      cursor: { y: false, points: { show: kind === "line" } },
      legend: { live: true },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(1, high * 1.08)] } },
      axes: [
        { ...axis, grid: { show: false }, space: 72, values: TIMES },
        { ...axis, size: 58, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? whole(tick) : "")) },
      ],
      series: [
        { label: "UTC", value: (_, seconds) => (seconds ? new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ") : "–") },
        ...order.map((index) => ({
          label: heads[index].name,
          stroke: palette[heads[index].colour],
          fill: kind === "line" ? palette["accent-soft"] : palette[heads[index].colour],
          width: kind === "line" ? 1.75 : 0,
          points: { show: false },
          paths: kind === "line" ? undefined : bars,
          value: (_, __, ___, row) => (row === null ? "–" : whole(values[index][row])),
        })),
      ],
    },
  };
}

function draw(figure) {
  const source = document.getElementById(figure.dataset.chart);
  if (!source || !window.uPlot) return;
  const table = read(source);
  const kind = figure.dataset.kind;
  const { order, settings } = options(figure, table, kind);
  const heights = kind === "stack" ? stacked(table.values) : table.values;
  drawn.get(figure)?.destroy();
  drawn.set(figure, new uPlot(settings, [table.times, ...order.map((index) => heights[index])], figure));
}

const drawAll = () => {
  for (const figure of drawn.keys()) {
    if (figure.isConnected) continue;
    drawn.get(figure).destroy();
    drawn.delete(figure);
  }
  document.querySelectorAll("[data-chart]").forEach(draw);
};

let settling = 0;
const later = () => {
  clearTimeout(settling);
  settling = setTimeout(drawAll, 120);
};

drawAll();
document.addEventListener("kudos:theme", drawAll);
document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx?.target?.querySelector?.("[data-chart]") || event.target.querySelector?.("[data-chart]")) later();
});
window.addEventListener("resize", later);
