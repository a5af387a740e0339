// Rating by keyboard: two axes, accept or reject; or which of two is better. Blind unless asked otherwise.
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.module.js";
import { Loading, Note, Trouble, full, go, number, percent, points, useKeys, worded } from "./parts.js";
import { ask, queryOf, send } from "./served.js";
import { MODES, Stage } from "./compare_pictures.js";

const SKIPS = ["can't tell", "source unusable", "instruction unclear", "picture missing", "other"];
const ORDERS = { informative: "the most informative next: near the threshold, or judges apart", random: "at random, the same order for everybody" };
const AXES = [["adherence", "Adherence", "Did it do what was asked, all of it, and nothing else?"], ["aesthetics", "Aesthetics", "Does it look good, and right?"]];

/** Who rates: asked once, then part of the address, so that the same link goes on where one left. */
export function Who({ doing }) {
  const [name, setName] = useState("");
  const begin = (event) => { event.preventDefault(); if (name.trim()) go({ rater: name.trim() }, { replace: true }); };
  return html`<form class="who" onSubmit=${begin}><h2>${doing}</h2>
    <label>Your name, under which it is kept <input type="text" name="rater" maxlength="60" autofocus value=${name} onInput=${(event) => setName(event.target.value)}/></label>
    <button class="button strong">Begin</button></form>`;
}

export function Rate({ run, told, address }) {
  const rater = address.get("rater");
  if (!told.writable) return html`<${Note} title="Ratings can't be kept">The run's folder can't be written.<//>`;
  if (!rater) return html`<${Who} doing="Rate triplets"/>`;
  const two = address.get("what") === "two";
  const settings = { rater, order: address.get("order") ?? "informative", overlap: address.get("overlap") ?? 0.2, blind: address.get("blind") ?? 1 };
  const query = queryOf(address);
  if (query.stage === "kept" && !address.get("stage")) delete query.stage; // a rater sees all that was scored, unless filtered
  const View = two ? Two : One;
  return html`<div class="rating">
    <${View} key=${`${rater} ${JSON.stringify(settings)} ${JSON.stringify(query)}`} run=${run} settings=${settings} query=${query} fixedMode=${address.get("mode")}/>
    <details class="settings"><summary>${rater} · ${ORDERS[settings.order]}${two || settings.blind === "0" ? "" : " · blind: no scores are shown"}</summary><div>
      <label class="choice">What <select value=${two ? "two" : "one"} onChange=${(event) => go({ what: event.target.value === "two" ? "two" : null }, { replace: true })}><option value="one">scores of one</option><option value="two">which of two is better</option></select></label>
      <label class="choice">Next <select name="order" value=${settings.order} onChange=${(event) => go({ order: event.target.value }, { replace: true })}><option value="informative">most informative</option><option value="random">random</option></select></label>
      <label class="choice">Everybody gets <select name="overlap" value=${String(settings.overlap)} onChange=${(event) => go({ overlap: event.target.value }, { replace: true })}>${[0, 0.1, 0.2, 0.3, 0.5, 1].map((share) => html`<option value=${String(share)}>${percent(share)} of the pairs</option>`)}</select></label>
      <label class="choice"><input type="checkbox" checked=${settings.blind !== "0"} onChange=${(event) => go({ blind: event.target.checked ? null : 0 }, { replace: true })}/> blind</label>
      <button class="button" onClick=${() => go({ rater: null }, { replace: true })}>Somebody else</button></div></details>
    <${Agreement} run=${run} turn=${told.said}/></div>`;
}

const Progress = ({ done, total }) => html`<span class="progress"><progress max=${Math.max(1, total)} value=${done} aria-label="Progress"></progress> <span role="status">${number(done)} of ${number(total)}</span></span>`;

/** Asks for what is next, and again after each thing said; `said` sends and moves on. */
function useNext(run, path, settings, query) {
  const [state, setState] = useState({ loading: true });
  const busy = useRef(false);
  const look = async () => {
    try { setState(await ask(`api/${run}/${path}`, { ...query, ...settings })); } catch (error) { setState({ error }); }
  };
  useEffect(() => { void look(); }, []);
  const say = async (where, body) => {
    if (busy.current) return null;
    busy.current = true;
    try {
      const answer = await send(`api/${run}/${where}`, { rater: settings.rater, ...body });
      if (where === "undo" && answer.item) setState((old) => ({ ...old, item: answer.item, done: Math.max(0, old.done - 1) }));
      else await look();
      return answer;
    } catch (error) {
      setState({ error });
      return null;
    } finally { busy.current = false; }
  };
  return [state, say, look];
}

function One({ run, settings, query }) {
  const [state, say, look] = useNext(run, "next", settings, query);
  const [scores, setScores] = useState({});
  const [skipping, setSkipping] = useState(false);
  const [mode, setMode] = useState("side");
  const { item } = state;
  useEffect(() => { setScores({}); setSkipping(false); }, [item?.id]);
  const axis = scores.adherence === undefined ? "adherence" : "aesthetics";
  const digit = (value) => () => {
    if (!item) return false;
    if (skipping) return void skip(SKIPS[value - 1]);
    setScores((old) => ({ ...old, [old.adherence === undefined ? "adherence" : "aesthetics"]: value }));
  };
  const skip = (reason) => { setSkipping(false); if (reason) void say("rate", { pair: item.id, scores: { accept: null }, reason: `skipped: ${reason}` }); };
  const decide = (accept) => () => {
    if (!item || skipping) return false;
    void say("rate", { pair: item.id, scores: { ...scores, accept } });
  };
  const undo = () => { setScores({}); void say("undo", { what: "rate" }); };
  useKeys({ 1: digit(1), 2: digit(2), 3: digit(3), 4: digit(4), 5: digit(5), a: decide(1), r: decide(0), u: undo,
    s: () => (item ? setSkipping((on) => !on) : false), Escape: () => (skipping ? setSkipping(false) : setScores({})), Backspace: () => setScores({}),
    v: () => setMode((old) => MODES[(MODES.findIndex(([name]) => name === old) + 1) % MODES.length][0]) });
  if (state.error) return html`<${Trouble} error=${state.error} again=${look}/>`;
  if (state.loading) return html`<${Loading} what="Choosing the first one …"/>`;
  if (!item) return html`<${Note} title=${state.total ? "All rated" : "Nothing to rate"}>${state.total ? `You have rated all ${number(state.total)} that are yours. Thank you.` : "Nothing that was asked for is here yet."}
    ${state.done > 0 && html` <button class="textual" onClick=${undo}>undo the last one (u)</button>`}<//>`;
  return html`<${Stage} run=${run} item=${item} mode=${mode} mask=${false}/>
    <div class="judge" data-id=${item.id}>
      <h1 class="instruction">${item.instruction}</h1>
      ${item.score !== undefined && html`<p class="meta">The validator: <b>${points(item.adherence)}</b> / <b>${points(item.aesthetics)}</b></p>`}
      <div class="axes">${AXES.map(([name, words, what]) => html`<fieldset data-axis=${name} class=${axis === name && scores[name] === undefined ? "current" : ""}><legend>${words} <span class="note">${what}</span></legend>
        <span class="digits">${[1, 2, 3, 4, 5].map((value) => html`<button aria-pressed=${scores[name] === value} onClick=${() => setScores((old) => ({ ...old, [name]: value }))}>${value}</button>`)}</span></fieldset>`)}
        <fieldset><legend>In the data set? <span class="note">stores it and goes on</span></legend><span class="digits wide"><button class="accept" onClick=${decide(1)}><kbd>a</kbd> accept</button><button class="reject" onClick=${decide(0)}><kbd>r</kbd> reject</button></span></fieldset></div>
      ${skipping && html`<div class="skips" role="group" aria-label="Why skip">Skip, because: ${SKIPS.map((why, n) => html`<button class="button" onClick=${() => skip(why)}><kbd>${n + 1}</kbd> ${why}</button>`)}</div>`}
      <p class="doing"><button class="button" onClick=${() => setSkipping((on) => !on)}><kbd>s</kbd> skip</button> <button class="button" onClick=${undo}><kbd>u</kbd> undo</button>
        <button class="button" onClick=${() => setMode(MODES[(MODES.findIndex(([name]) => name === mode) + 1) % MODES.length][0])}><kbd>v</kbd> ${MODES.find(([name]) => name === mode)[1].toLowerCase()}</button> <${Progress} ...${state}/></p>
    </div>`;
}

function Two({ run, settings, query }) {
  const [state, say, look] = useNext(run, "two", settings, query);
  const { items } = state;
  const prefer = (preferred, reason) => () => {
    if (!items) return false;
    void say("prefer", { pair: items[0].id, other: items[1].id, preferred, reason });
  };
  const undo = async () => { await say("undo", { what: "compare" }); await look(); };
  useKeys({ a: prefer(1), b: prefer(0), t: prefer(0.5), ArrowLeft: prefer(1), ArrowRight: prefer(0), ArrowDown: prefer(0.5), s: prefer(null, "skipped: can't tell"), u: () => void undo() });
  if (state.error) return html`<${Trouble} error=${state.error} again=${look}/>`;
  if (state.loading) return html`<${Loading} what="Choosing two …"/>`;
  if (!items) return html`<${Note} title=${state.total ? "All compared" : "Nothing to compare"}>Two attempts at the same edit are compared; ${number(state.total)} such twos are here.<//>`;
  const [one, other] = items;
  const picture = (image, words) => html`<figure><img src=${full(run, image)} alt=${words}/><figcaption>${words}</figcaption></figure>`;
  return html`<div class="judge two" data-ids=${`${one.id} ${other.id}`}><h1 class="instruction">${one.instruction}</h1>
    <div class="three">${picture(one.edited, "A")} ${picture(one.source, "source")} ${picture(other.edited, "B")}</div>
    <div class="axes"><span class="digits wide"><button onClick=${prefer(1)}><kbd>a</kbd> A is better</button><button onClick=${prefer(0.5)}><kbd>t</kbd> a tie</button><button onClick=${prefer(0)}><kbd>b</kbd> B is better</button></span></div>
    <p class="doing"><button class="button" onClick=${prefer(null, "skipped: can't tell")}><kbd>s</kbd> skip</button> <button class="button" onClick=${undo}><kbd>u</kbd> undo</button> <${Progress} ...${state}/></p></div>`;
}

function Agreement({ run, turn }) {
  const [told, setTold] = useState(null);
  useEffect(() => { let wanted = true; ask(`api/${run}/agreement`).then((value) => wanted && setTold(value), () => {}); return () => { wanted = false; }; }, [run, turn]);
  if (!told || !told.raters.length) return null;
  const interval = (some) => (some ? html`${some[0].toFixed(2)} <span class="note">${some[1] === null ? "" : `${some[1].toFixed(2)} – ${some[2].toFixed(2)}`}</span>` : html`<span class="note">not yet</span>`);
  const { by_validator: passed, rejected } = told.accepted;
  return html`<details class="agreement" open><summary>Agreement so far</summary><div class="columns">
    <table><thead><tr><th>rater</th><th class="n">pairs</th><th class="n">means</th></tr></thead><tbody>${told.raters.map((one) => html`<tr><th scope="row">${one.rater}</th><td class="n">${number(one.pairs)}</td><td class="n">${["adherence", "aesthetics"].map((axis) => one.means[axis]?.toFixed(1) ?? "–").join(" / ")}</td></tr>`)}</tbody></table>
    <table><thead><tr><th>between raters</th><th class="n">pairs shared</th><th class="n">Spearman</th><th class="n">Krippendorff α</th></tr></thead><tbody>${Object.entries(told.between).map(([axis, one]) => html`<tr data-between=${axis}><th scope="row">${worded(axis)}</th><td class="n">${one.n}</td><td class="n">${interval(one.spearman)}</td><td class="n">${interval(one.alpha)}</td></tr>`)}</tbody></table>
    <table><thead><tr><th>with the validator</th><th class="n">pairs</th><th class="n">Spearman</th><th class="n">mean error</th></tr></thead><tbody>${Object.entries(told.validator).map(([axis, one]) => html`<tr><th scope="row">${worded(axis)}</th><td class="n">${one.n}</td><td class="n">${one.spearman ?? html`<span class="note">not yet</span>`}</td><td class="n">${one.mae ?? "–"}</td></tr>`)}
      <tr><th scope="row">Good, of what it passed</th><td class="n" colspan="3">${passed.n ? `${passed.good} of ${passed.n}` : "–"}</td></tr><tr><th scope="row">Good, of what it stopped</th><td class="n" colspan="3">${rejected.n ? `${rejected.good} of ${rejected.n}` : "–"}</td></tr></tbody></table></div></details>`;
}
