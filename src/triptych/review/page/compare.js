// Two runs, or two thresholds: what came in, what fell out; and a slider that says what a threshold would give.
import { html, useEffect, useState } from "./vendor/preact-htm.module.js";
import { Link, Loading, Note, Picture, Trouble, go, number, percent, points, small } from "./parts.js";
import { ask } from "./served.js";

export function Compare({ run, told, runs, address }) {
  return html`<div class="comparing"><${Slider} run=${run} told=${told} address=${address}/><${Sides} run=${run} told=${told} runs=${runs} address=${address}/></div>`;
}

function useAsked(path, query, inputs) {
  const [state, setState] = useState({});
  useEffect(() => {
    let wanted = true;
    const timer = setTimeout(() => ask(path, query).then((value) => wanted && setState({ value }), (error) => wanted && setState({ error })), 60);
    return () => { wanted = false; clearTimeout(timer); };
  }, inputs);
  return state;
}

function Slider({ run, told, address }) {
  const at = { adherence: Number(address.get("ta") ?? told.threshold.adherence), aesthetics: Number(address.get("tb") ?? told.threshold.aesthetics) };
  const { value, error } = useAsked(`api/${run}/threshold`, at, [run, at.adherence, at.aesthetics, told.sequence, told.said]);
  const control = (name, key) => html`<label><span>${name} ≥ <b>${at[name].toFixed(2)}</b></span><input type="range" name=${key} min="1" max="5" step="0.01" value=${at[name]} onInput=${(event) => go({ [key]: event.target.value }, { replace: true })}/></label>`;
  return html`<section><h2>Another threshold</h2>
    <div class="sliders">${control("adherence", "ta")} ${control("aesthetics", "tb")}
      ${(address.get("ta") || address.get("tb")) && html`<button class="button" onClick=${() => go({ ta: null, tb: null }, { replace: true })}>the run's own</button>`}</div>
    ${error ? html`<${Trouble} error=${error}/>` : !value ? html`<${Loading} what="Selecting …"/>` : html`
      <p class="yield"><b data-yield>${number(value.selected)}</b> selected of ${number(value.attempts)} attempts${value.attempts ? ` (${percent(value.selected / value.attempts)})` : ""}, before the backward filter.
        <span data-precision>${value.precision ? html` Precision by people: <b>${percent(value.precision.good / value.precision.n)}</b> (${value.precision.good} of ${value.precision.n} rated; 95 %: ${percent(value.precision.low)} to ${percent(value.precision.high)}).` : html` Nobody has rated any of these: there is no estimate of their precision.`}</span></p>
      ${value.precision && html`<p class="note">The interval holds for pairs rated in random order; the most informative ones are harder than most.</p>`}
      <h3>Just above the margin</h3><${Strip} run=${run} items=${value.above} none="nothing is selected"/>
      <h3>Just below it</h3><${Strip} run=${run} items=${value.below} none="nothing is left out"/>`}</section>`;
}

function Strip({ run, items, none, runOf = run }) {
  if (!items.length) return html`<p class="note">${none}</p>`;
  return html`<div class="strip pairs">${items.map((one) => html`<${Link} key=${one.id} to=${{ view: "triplet", id: one.id, run: runOf, all: 1 }} class="attempt">
    <span class="pair"><${Picture} src=${small(runOf, one.source)} alt=${`Before: ${one.instruction}`}/><${Picture} src=${small(runOf, one.edited)} alt=${`After: ${one.instruction}`}/></span>
    <span class="score"><b>${points(one.adherence)}</b> / <b>${points(one.aesthetics)}</b></span><span class="note">${one.instruction}</span><//>`)}</div>`;
}

/* ---- two sides ---- */

function Sides({ run, told, runs, address }) {
  const side = (name, other) => ({ run: Number(address.get(name) ?? (name === "b" && runs.length > 1 ? (run + 1) % runs.length : run)), at: address.get(`at_${name}`) ?? other });
  const a = side("a", runs.length > 1 ? "" : told.threshold.adherence.toFixed(2)), b = side("b", runs.length > 1 ? "" : Math.max(1, told.threshold.adherence - 0.2).toFixed(2));
  const query = { a: a.run, at_a: a.at, b: b.run, at_b: b.at };
  const { value, error } = useAsked("api/compare", query, [JSON.stringify(query), runs.map((one) => one.sequence).join()]);
  const pick = (name, one) => html`<fieldset><legend>${name === "a" ? "First" : "Second"}</legend>
    <select aria-label=${`Run ${name}`} value=${one.run} onChange=${(event) => go({ [name]: event.target.value }, { replace: true })}>${runs.map((each, n) => html`<option value=${n}>${each.name}</option>`)}</select>
    <label class="choice">threshold <input type="number" name=${`at_${name}`} min="1" max="5" step="0.05" placeholder="its own rule" value=${one.at} onChange=${(event) => go({ [`at_${name}`]: event.target.value }, { replace: true })}/></label></fieldset>`;
  return html`<section><h2>Two selections side by side</h2><div class="sliders">${pick("a", a)} ${pick("b", b)}</div>
    ${error ? html`<${Trouble} error=${error}/>` : !value ? html`<${Loading} what="Comparing …"/>` : value.first + value.second === 0 ? html`<${Note} title="Both are empty">Neither selects anything.<//>` : html`
      <p class="yield"><b>${number(value.first)}</b> in the first, <b>${number(value.second)}</b> in the second, <b data-both>${number(value.both)}</b> in both.${value.other_attempt > 0 ? ` Of those in one alone, ${number(value.other_attempt)} are another attempt at the same edit.` : ""}</p>
      <h3>Fell out: only in the first (<span data-fell>${number(value.only_first)}</span>)</h3><${Strip} run=${run} runOf=${a.run} items=${value.fell_out} none="nothing"/>
      <h3>Came in: only in the second (<span data-came>${number(value.only_second)}</span>)</h3><${Strip} run=${run} runOf=${b.run} items=${value.came_in} none="nothing"/>`}
    <p class="note">With a threshold: forward triplets before the backward filter. Without: what leaves the run under its own rule, of every kind.</p></section>`;
}
