// Live updates. The server's stream says where the copy of the ledger stands; this counts the age of
// what it said last, asks for the page anew when there are new blocks, and says when nothing comes.

const PATIENCE = 25_000; // the stream speaks every 10 s even when nothing happens
const status = document.getElementById("status");
const stream = document.getElementById("stream");

if (status && stream) follow(status, stream);

function follow(status, stream) {
  const staleAfter = Number(status.dataset.staleAfter);
  let age = Number(status.dataset.age);
  let block = Number(status.dataset.block);
  let toldAt = performance.now();
  let heardAt = performance.now();
  let trouble = "";
  let waiting = 0;

  const text = (seconds) => {
    for (const [size, unit] of [[86_400, "d"], [3_600, "h"], [60, "min"]]) {
      if (seconds >= 2 * size) return `updated ${Math.floor(seconds / size)} ${unit} ago`;
    }
    return `updated ${Math.floor(seconds)} s ago`;
  };

  const show = () => {
    const now = performance.now();
    const seconds = age + (now - toldAt) / 1000;
    const silent = now - heardAt > PATIENCE;
    const stalled = Boolean(trouble) || silent || seconds > staleAfter;
    if (block >= 0) status.querySelector("[data-age-text]").textContent = text(seconds);
    status.classList.toggle("stale", stalled);
    status.querySelector("[data-stale-text]")?.toggleAttribute("hidden", !stalled);
    const stall = status.querySelector("[data-stall]");
    const why = trouble || (silent ? "the service is silent" : "the indexer hears nothing new from the chain");
    const message = stalled ? `Live updates have stalled: ${why}. What you see may be out of date.` : "";
    if (stall.textContent !== message) stall.textContent = message;
  };

  const news = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => htmx.trigger(document.body, "kudos:news"), 400);
  };

  stream.addEventListener("head", (event) => {
    const head = JSON.parse(event.detail.data);
    age = head.age_seconds;
    toldAt = heardAt = performance.now();
    trouble = "";
    for (const field of status.querySelectorAll("[data-head]")) {
      field.textContent = Math.max(0, head[field.dataset.head]).toLocaleString("en");
    }
    if (head.number !== block) {
      block = head.number;
      news();
    }
    show();
  });
  stream.addEventListener("reorganisation", news);
  stream.addEventListener("unavailable", (event) => {
    trouble = JSON.parse(event.detail.data).detail.replace(/\.$/, "");
    show();
  });
  const lost = () => {
    trouble = "the connection to the service is lost; trying again";
    show();
  };
  for (const name of ["htmx:sse:error", "htmx:sse:close", "htmx:response:error", "htmx:error"]) {
    stream.addEventListener(name, lost);
  }
  stream.addEventListener("htmx:sse:before:connection", (event) => {
    // Not the first time: the stream has ended, and the next attempt may be seconds away.
    if (event.detail.connection.attempt > 0) lost();
  });
  stream.addEventListener("htmx:sse:after:connection", () => {
    heardAt = performance.now();
    trouble = "";
    show();
  });
  document.addEventListener("visibilitychange", () => {
    // In the background the stream pauses; its silence means nothing then.
    if (!document.hidden) heardAt = performance.now();
  });
  setInterval(() => document.hidden || show(), 1000);
}

// A filter that the server refuses has a page that says why: go there.
document.addEventListener("htmx:response:error", (event) => {
  const { ctx } = event.detail;
  if (ctx?.sourceElement?.matches?.("a, form") && ctx.request.method === "GET") location.assign(ctx.request.action);
});
