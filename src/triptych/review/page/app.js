// The page: its head, the views, and the state of the runs, asked again every other second.
import { html, render, useEffect, useState } from "./vendor/preact-htm.module.js";
import { Link, Loading, Trouble, go, number, useAddress, useKeys } from "./parts.js";
import * as served from "./served.js";
import { Overview } from "./overview.js";
import { Grid } from "./grid.js";
import { Triplet } from "./triplet.js";
import { Rate } from "./rate.js";
import { Compare } from "./compare.js";
import { Audit } from "./audit.js";

const VIEWS = [
  ["overview", "Overview", Overview],
  ["grid", "Grid", Grid],
  ["rate", "Rate", Rate],
  ["compare", "Compare", Compare],
  ["audit", "Spot check", Audit],
];
const POLL = 2000;

function useRuns() {
  const [told, setTold] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    let timer = 0, ended = false;
    const look = async () => {
      try {
        const next = await served.runs();
        setTold((old) => (JSON.stringify(old) === JSON.stringify(next) ? old : next));
        setError(null);
        if (next.static) return;
      } catch (trouble) {
        setError(trouble);
      }
      if (!ended) timer = setTimeout(look, document.hidden ? 4 * POLL : POLL);
    };
    look();
    return () => { ended = true; clearTimeout(timer); };
  }, []);
  return [told, error];
}

function Head({ told, place, view, error }) {
  const run = told?.runs[place];
  const reading = run?.to_read > 0;
  return html`<header class="top">
    <${Link} to=${{ view: "overview" }} class="brand">triptych<//>
    ${told && (told.runs.length > 1
      ? html`<select class="runs" aria-label="Run" value=${place} onChange=${(event) => go({ run: event.target.value, id: null })}>
          ${told.runs.map((one, n) => html`<option value=${n}>${one.name}</option>`)}</select>`
      : html`<span class="runs">${run?.name}</span>`)}
    <nav aria-label="Views">${VIEWS.filter(([name]) => !told?.static || name === "overview" || name === "grid").map(([name, words]) => html`
      <${Link} to=${{ view: name }} aria-current=${view === name ? "page" : null}>${words}<//>`)}</nav>
    ${run?.of > run?.rows && html`<span class="note">${number(run.rows)} of ${number(run.of)} pictures and pairs, drawn without regard to scores</span>`}
    <span class="state" role="status">${error ? "not connected" : reading ? `reading scene ${number(run.read)} of ${number(run.to_read)}` : ""}</span>
    <button class="plain" aria-label="Keys" title="Keys (?)" onClick=${() => document.querySelector("#keys").showModal()}>?</button>
  </header>
  ${run?.trouble && html`<p class="trouble" role="alert">${run.trouble}</p>`}`;
}

const KEYS = [
  ["Anywhere", [["g o", "overview"], ["g g", "grid"], ["g r", "rate"], ["g c", "compare"], ["g a", "spot check"], ["?", "this list"]]],
  ["Grid", [["← ↑ ↓ →", "move"], ["Enter", "open"], ["/", "search"], ["x", "clear all filters"]]],
  ["Triplet", [["← →", "previous, next of the list"], ["1 … 4", "side by side, slider, flicker, difference"], ["Space", "hold for the other picture"],
    ["m", "change mask"], ["+ − 0", "zoom in, out, fit"], ["z", "one picture pixel a screen pixel"], ["Esc", "back to the grid"]]],
  ["Rate", [["1 … 5", "adherence, then aesthetics"], ["a r", "accept or reject, and the next one"], ["s 1 … 5", "skip, with a reason"], ["u", "undo"], ["v", "another way to compare"],
    ["a t b", "of two: the left one, a tie, the right one"]]],
  ["Spot check", [["a", "good"], ["1 … 6", "a flaw"], ["u", "undo"]]],
];
const Keys = () => html`<dialog id="keys" class="sheet" aria-label="Keys"><h2>Keys</h2>
  ${KEYS.map(([where, keys]) => html`<h3>${where}</h3><dl>${keys.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>`)}
  <form method="dialog"><button class="button" autofocus>Close</button></form></dialog>`;

function App() {
  const address = useAddress();
  const [told, error] = useRuns();
  const [leader, setLeader] = useState(false);
  const place = Math.min(Number(address.get("run") ?? 0) || 0, Math.max(0, (told?.runs.length ?? 1) - 1));
  const view = address.get("view") ?? "overview";
  const jump = (letter) => () => {
    if (!leader) return false;
    setLeader(false);
    const found = VIEWS.find(([name]) => name.startsWith(letter));
    if (found) go({ view: found[0] }, { over: true });
  };
  useKeys({
    "?": () => document.querySelector("#keys").showModal(),
    g: () => (leader ? jump("g")() : (setLeader(true), setTimeout(() => setLeader(false), 1200))),
    o: jump("o"), r: jump("r"), c: jump("c"), a: jump("a"),
  });
  useEffect(() => { document.title = `${told?.runs[place]?.name ?? "triptych"} · ${view}`; });
  const run = told?.runs[place];
  const View = view === "triplet" ? Triplet : VIEWS.find(([name]) => name === view)?.[2] ?? Overview;
  let body;
  if (!told) body = error ? html`<${Trouble} error=${error}/>` : html`<${Loading} what="Asking for the run …"/>`;
  else if (!run.ready) body = html`<${Loading} what=${run.to_read ? `Reading scene ${number(run.read)} of ${number(run.to_read)} …` : "Reading the run …"}/>`;
  else body = html`<${View} key=${`${place} ${view}`} run=${place} told=${run} runs=${told.runs} fixed=${told.static} address=${address}/>`;
  return html`<${Head} told=${told} place=${place} view=${view} error=${told && error}/><main id="main">${body}</main><${Keys}/>`;
}

render(html`<${App}/>`, document.querySelector("#app"));
document.querySelector(".boot")?.remove();
