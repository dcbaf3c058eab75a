// The graph of who gave Kudos to whom, from the list of its arrows.

import { colours, font } from "./colours.js";

const box = document.getElementById("graph");
const rows = [...(document.getElementById(box?.dataset.edges)?.tBodies[0].rows ?? [])].map((row) => row.dataset);

function elements() {
  const nodes = new Map();
  for (const row of rows) {
    for (const [id, label, points] of [[row.home, row.homeName, 0], [row.host, row.hostName, Number(row.points)]]) {
      const known = nodes.get(id) ?? { id, label, points: 0 };
      nodes.set(id, { ...known, points: known.points + points });
    }
  }
  const most = Math.max(1, ...[...nodes.values()].map((node) => node.points));
  const widest = Math.max(1, ...rows.map((row) => Number(row.points)));
  return [
    ...[...nodes.values()].map((data) => ({ data: { ...data, size: 16 + 30 * Math.sqrt(data.points / most) } })),
    ...rows.map((row) => ({
      data: { id: `${row.home}>${row.host}`, source: row.home, target: row.host, width: 1 + 5 * (row.points / widest) },
    })),
  ];
}

function style() {
  const palette = colours();
  return [
    {
      selector: "node",
      style: {
        "background-color": palette.accent,
        width: "data(size)",
        height: "data(size)",
        label: "data(label)",
        color: palette.ink,
        "font-family": font(),
        "font-size": 13,
        "text-valign": "bottom",
        "text-margin-y": 6,
        "text-background-color": palette.card,
        "text-background-opacity": 0.85,
        "text-background-padding": 2,
      },
    },
    {
      selector: "edge",
      style: {
        width: "data(width)",
        "curve-style": "bezier",
        "line-color": palette.muted,
        "target-arrow-color": palette.muted,
        "target-arrow-shape": "triangle",
        "arrow-scale": 0.8,
        opacity: 0.42,
      },
    },
    { selector: "edge.near", style: { opacity: 1, "line-color": palette.accent, "target-arrow-color": palette.accent } },
    { selector: "node.far", style: { opacity: 0.35 } },
  ];
}

if (box && rows.length && window.cytoscape) {
  const graph = cytoscape({
    container: box,
    elements: elements(),
    style: style(),
    layout: { name: "circle", animate: false, padding: 28 },
    userZoomingEnabled: false,
    autoungrabify: false,
    boxSelectionEnabled: false,
  });
  graph.on("mouseover", "node", ({ target }) => {
    graph.nodes().not(target.closedNeighborhood()).addClass("far");
    target.connectedEdges().addClass("near");
  });
  graph.on("mouseout", "node", () => graph.elements().removeClass("far near"));
  graph.on("tap", "node", ({ target }) => location.assign(`/nodes/${target.id()}`));
  document.addEventListener("kudos:theme", () => graph.style(style()));
  window.addEventListener("resize", () => graph.resize().fit(undefined, 28));
}
