// The spot check before a release: a random, stratified, blind sample, and how sure its precision makes one.
import { html, useEffect, useState } from "./vendor/preact-htm.module.js";
import { Loading, Note, Trouble, number, percent, useKeys } from "./parts.js";
import { ask, send } from "./served.js";
import { MODES, Stage } from "./compare_pictures.js";
import { Who } from "./rate.js";

export function Audit({ run, told, address }) {
  const rater = address.get("rater") ?? "";
  const [state, setState] = useState(null);
  const [error, setError] = useState(null);
  const [mode, setMode] = useState("side");
  const look = () => ask(`api/${run}/audit`, { rater }).then((value) => { setState(value); setError(null); }, setError);
  useEffect(() => { void look(); }, [run, rater, told.sequence, told.said]);
  const item = rater ? state?.item : null;
  const flaws = Object.entries(state?.taxonomy ?? {});
  const say = async (flaw) => {
    try { await send(`api/${run}/find`, { rater, pair: item.id, flaw }); await look(); } catch (trouble) { setError(trouble); }
  };
  const undo = async () => { try { await send(`api/${run}/undo`, { rater, what: "audit" }); await look(); } catch (trouble) { setError(trouble); } };
  useKeys({ ...Object.fromEntries(flaws.map(([flaw], n) => [n === 0 ? "a" : String(n), () => (item ? void say(flaw) : false)])), u: () => void undo(),
    v: () => setMode((old) => MODES[(MODES.findIndex(([name]) => name === old) + 1) % MODES.length][0]) });
  if (error) return html`<${Trouble} error=${error} again=${look}/>`;
  if (!state) return html`<${Loading} what="Drawing the sample …"/>`;
  if (!state.planned) return html`<${Note} title="No spot check is planned">Start the page with <code>triptych review ${told.name} --audit 300</code>: it draws a random, stratified sample of what leaves the run${state.released ? ` (${number(state.released)} now)` : ""}.<//>`;
  const summary = html`<section class="summary"><h2>Spot check</h2>
    <p><b>${number(state.good)}</b> of <b>${number(state.looked)}</b> looked at are good${state.lowest === null ? "" : html`: at least <b data-bound>${percent(state.lowest)}</b> of what leaves the run, with 95 % confidence (Clopper–Pearson)`}.
      ${state.finished ? " All that was planned has been looked at." : ` ${number(state.planned)} of ${number(state.released)} are to be looked at.`}</p>
    <progress max=${state.planned} value=${state.looked} aria-label="Looked at"></progress>
    ${Object.keys(state.flaws).length > 0 && html`<ul class="bars">${Object.entries(state.flaws).map(([flaw, count]) => html`<li><span class="name">${state.taxonomy[flaw]}</span> <span class="count">${number(count)}</span></li>`)}</ul>`}
    <p class="note">The sample is random within every kind and category; scores aren't shown. A pair counts as good where everybody who looked found no flaw.
      <code>triptych export … --require-precision 0.9</code> refuses below the bound, and the card carries it.</p></section>`;
  if (!rater) return html`<${Who} doing=${`Look at ${number(state.planned)} triplets before the release`}/>${summary}`;
  if (!item) return html`<${Note} title="All looked at">Nothing of the sample is left for you. <button class="textual" onClick=${undo}>undo the last one (u)</button><//>${summary}`;
  return html`<div class="rating"><${Stage} run=${run} item=${item} mode=${mode} mask=${false}/>
    <div class="judge" data-id=${item.id}><h1 class="instruction">${item.instruction}</h1>
      <div class="axes"><span class="digits wide flaws">${flaws.map(([flaw, words], n) => html`<button data-flaw=${flaw} class=${n ? "" : "accept"} onClick=${() => say(flaw)}><kbd>${n ? n : "a"}</kbd> ${words}</button>`)}</span></div>
      <p class="doing"><button class="button" onClick=${undo}><kbd>u</kbd> undo</button> <button class="button" onClick=${() => setMode(MODES[(MODES.findIndex(([name]) => name === mode) + 1) % MODES.length][0])}><kbd>v</kbd> ${MODES.find(([name]) => name === mode)[1].toLowerCase()}</button>
        <span class="progress">${number(state.mine)} by you</span></p></div>${summary}</div>`;
}
