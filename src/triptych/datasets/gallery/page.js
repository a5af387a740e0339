"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (selector, root = document) => root.querySelector(selector);
const STACKED_FROM = 1.3;  // pictures wider than this stand one above the other
const PANE_GAP = 3, NARROWEST_CARD = 172;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}
const number = (value) => value.toLocaleString("en");
const worded = (name) => name.replaceAll("_", " ");
const thumbnail = (image) => data.images[image] && "data:image/jpeg;base64," + data.images[image].thumbnail;

/* ---- cards ------------------------------------------------------------------------------------------ */

function pane(pair, side) {
  const own = side === "before" ? pair.source_image : pair.edited_image;
  const other = side === "before" ? pair.edited_image : pair.source_image;
  const made = element("span", { class: "pane " + side, style: `aspect-ratio:${pair.width}/${pair.height}` });
  if (!data.images[own]) {
    made.append(element("span", { class: "gone" }, "picture missing"));
    return made;
  }
  made.append(element("img", { src: thumbnail(own), alt: side === "before" ? "Before" : "After", loading: "lazy", decoding: "async" }));
  const tag = element("span", { class: "tag" }, side);
  made.append(tag);
  made.swap = (on) => {
    if (!data.images[other]) return;
    if (!made.querySelector(".other")) tag.before(element("img", { src: thumbnail(other), alt: "", class: "other" }));
    made.classList.toggle("swapped", on);
    tag.textContent = on === (side === "after") ? "before" : "after";
  };
  return made;
}

function scoreLine(pair) {
  if (pair.geometric_mean === null) return element("span", { class: "score" }, "not judged");
  const judge = pair.judge === "soft_filter" ? "soft filter " : "";
  const title = "√(adherence · aesthetics), then adherence and aesthetics, each from 1 to 5";
  return element("span", { class: "score", title }, judge, element("b", {}, pair.geometric_mean.toFixed(2)),
    `  (${pair.adherence.toFixed(1)} · ${pair.aesthetics.toFixed(1)})`);
}

/* Category, style and kind, less what goes without saying. */
function described(pair) {
  const style = pair.style === "standard" ? "" : pair.style, kind = pair.kind === "forward" ? "" : pair.kind;
  return [worded(pair.category), style, kind].filter(Boolean).join(" · ");
}

function card(pair, list) {
  const aspect = pair.width / pair.height, stacked = aspect > STACKED_FROM;
  const before = pane(pair, "before"), after = pane(pair, "after");
  const button = element("button", { class: "pair", type: "button", "aria-label": "Open: " + pair.instruction }, before, after);
  const made = element("article", { class: stacked ? "card stacked" : "card" }, button,
    element("p", { class: "instruction" }, pair.instruction),
    element("p", { class: "meta" }, described(pair), scoreLine(pair)));
  // Width of the card when its pictures are `height` high together: slope × height + shift.
  Object.assign(made, { pair, slope: stacked ? aspect / 2 : 2 * aspect, shift: stacked ? -PANE_GAP * aspect / 2 : PANE_GAP });
  listenForCompare(button, before, after);
  button.addEventListener("click", () => viewer.open(list(), pair));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const shown = [...made.parentElement.children].filter((one) => !one.hidden);
    shown[shown.indexOf(made) + step]?.querySelector(".pair").focus();
    event.preventDefault();
  });
  return made;
}

/* Hover over either picture, or hold a finger or the space bar: the other one shows in its place. */
function listenForCompare(button, before, after) {
  let held = 0, long = false;
  for (const one of [before, after]) {
    one.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && one.swap?.(true));
    one.addEventListener("pointerleave", () => one.swap?.(false));
  }
  const release = () => { clearTimeout(held); after.swap?.(false); };
  button.addEventListener("pointerdown", (event) => {
    long = false;
    if (event.pointerType === "mouse") return;
    held = setTimeout(() => { long = true; after.swap?.(true); }, 220);
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) button.addEventListener(name, release);
  button.addEventListener("contextmenu", (event) => long && event.preventDefault());
  button.addEventListener("click", (event) => { if (long) { event.stopImmediatePropagation(); long = false; } });
  button.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); after.swap?.(true); } });
  button.addEventListener("keyup", (event) => { if (event.key === " ") { event.preventDefault(); after.swap?.(false); } });
}

/* Rows of one height that fill the width: each row ends where its height comes nearest to the one wished. */
function layOut(grid, wish) {
  const width = grid.clientWidth, gap = parseFloat(getComputedStyle(grid).columnGap) || 0;
  if (!width) return;
  const height = (row) => (width - gap * (row.length - 1) - sum(row, "shift")) / sum(row, "slope");
  const sum = (row, key) => row.reduce((total, one) => total + one[key], 0);
  const close = (row, limit) => {
    const high = Math.min(height(row), limit);
    for (const one of row) one.style.width = Math.floor((one.slope * high + one.shift) * 10 - 1) / 10 + "px";
    above = high;
  };
  let row = [], above = wish * 1.15;
  for (const one of grid.children) {
    if (one.hidden) continue;
    const longer = [...row, one], high = height(longer);
    const squeezed = longer.some((each) => each.slope * high + each.shift < NARROWEST_CARD);
    if (row.length && (squeezed || (high < wish && height(row) * high < wish * wish))) {
      close(row, wish * 1.7);
      row = [one];
    } else row = longer;
  }
  if (row.length) close(row, above);  // the last row needn't fill the width
}

/* ---- the large view --------------------------------------------------------------------------------- */

const viewer = (() => {
  const dialog = $("#viewer"), stage = $(".stage", dialog);
  const before = $(".before", stage), after = $(".after", stage), handle = $(".handle", stage);
  let list = [], place = 0, mode = "slide", cut = 0.5, timer = 0;

  function open(pairs, pair) {
    list = pairs;
    place = Math.max(0, list.indexOf(pair));
    if (!dialog.open) dialog.showModal();
    show();
  }
  function show() {
    const pair = list[place];
    cut = 0.5;
    load($("img", before), pair.source_image);
    load($("img", after), pair.edited_image);
    $(".instruction", dialog).textContent = pair.instruction;
    const facts = $(".facts", dialog);
    facts.replaceChildren(scoreLine(pair), ` · ${described(pair)} · ${pair.width} × ${pair.height} · ${number(place + 1)} of ${number(list.length)}`);
    $(".prompt", dialog).textContent = `${pair.prompt ?? "A photograph."}\npair ${pair.id}`;
    $(".files", dialog).replaceChildren(...links(pair));
    setMode(mode);
    writeHash();
  }
  function load(image, name) {
    const stored = data.images[name];
    image.src = stored ? thumbnail(name) : "data:,";
    if (!stored) return;
    const full = new Image();
    image.wanted = name;
    full.onload = () => { if (image.wanted === name) image.src = full.src; };
    full.src = stored.file;
  }
  function links(pair) {
    const stored = [["before", pair.source_image], ["after", pair.edited_image]].filter(([, image]) => data.images[image]);
    return stored.flatMap(([words, image], i) => [i ? " · " : "Full size: ", element("a", { href: data.images[image].file, target: "_blank", rel: "noopener" }, words)]);
  }
  function setMode(wanted) {
    mode = wanted;
    stage.dataset.mode = mode;
    stage.classList.remove("held");
    for (const button of dialog.querySelectorAll("[data-mode]")) if (button !== stage) button.setAttribute("aria-pressed", button.dataset.mode === mode);
    clearInterval(timer);
    if (mode === "flicker" && !calm.matches) timer = setInterval(() => stage.classList.toggle("held"), 650);
    arrange();
  }
  function arrange() {
    if (!dialog.open) return;
    const pair = list[place], gap = 8;
    const aspect = pair.width / pair.height, room = { width: stage.clientWidth, height: stage.clientHeight };
    const fit = (width, height) => { const high = Math.min(height, width / aspect, 2 * pair.height); return [high * aspect, high]; };
    const beside = fit((room.width - gap) / 2, room.height), above = fit(room.width, (room.height - gap) / 2);
    let size = fit(room.width, room.height), step = [0, 0];
    if (mode === "side") {
      const horizontal = beside[1] >= above[1];
      size = horizontal ? beside : above;
      step = horizontal ? [size[0] + gap, 0] : [0, size[1] + gap];
    }
    const left = (room.width - size[0] - step[0]) / 2, top = (room.height - size[1] - step[1]) / 2;
    put(before, left, top, size);
    put(after, left + step[0], top + step[1], size);
    Object.assign($(".tag-before", stage).style, { left: left + 10 + "px", top: top + 10 + "px" });
    const right = room.width - (left + step[0] + size[0]);
    Object.assign($(".tag-after", stage).style, { right: right + 10 + "px", top: top + step[1] + 10 + "px" });
    Object.assign(handle.style, { top: top + "px", height: size[1] + "px", left: left + cut * size[0] + "px" });
    after.style.setProperty("--cut", 100 * cut + "%");
  }
  function put(layer, left, top, [width, height]) {
    Object.assign(layer.style, { left: left + "px", top: top + "px", width: width + "px", height: height + "px" });
  }
  function walk(step) {
    place = (place + step + list.length) % list.length;
    show();
  }
  function slide(event) {
    const box = before.getBoundingClientRect();
    cut = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    arrange();
  }
  function hold(on) {
    if (mode === "flicker") clearInterval(timer);
    stage.classList.toggle("held", on);
  }
  stage.addEventListener("pointermove", (event) => mode === "slide" && (event.pointerType === "mouse" || event.buttons) && slide(event));
  stage.addEventListener("pointerdown", (event) => mode === "slide" ? slide(event) : mode === "flicker" && hold(!stage.classList.contains("held")));
  dialog.addEventListener("keydown", (event) => {
    const modes = { 1: "slide", 2: "flicker", 3: "side" };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") walk(1);
    else if (event.key === "ArrowLeft") walk(-1);
    else if (event.key === " " && !event.target.closest("summary, a")) hold(true);
    else if (modes[event.key]) setMode(modes[event.key]);
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("keyup", (event) => { if (event.key === " " && !event.target.closest("summary, a")) { event.preventDefault(); hold(false); } });
  dialog.addEventListener("click", (event) => { const chosen = event.target.closest(".modes [data-mode]"); if (chosen) setMode(chosen.dataset.mode); });
  dialog.addEventListener("close", () => {
    clearInterval(timer);
    writeHash();
    cardOf(list[place])?.querySelector(".pair").focus();
  });
  $(".previous", dialog).addEventListener("click", () => walk(-1));
  $(".next", dialog).addEventListener("click", () => walk(1));
  $(".close", dialog).addEventListener("click", () => dialog.close());
  new ResizeObserver(arrange).observe(stage);
  return { open, current: () => (dialog.open ? list[place] : null), close: () => dialog.close() };
})();
const cardOf = (pair) => [...document.querySelectorAll(".card")].find((one) => one.pair === pair && !one.hidden);

/* ---- filters ---------------------------------------------------------------------------------------- */

const form = $(".filters"), grid = $("#grid"), fields = form.elements;
const scores = data.triplets.map((pair) => pair.geometric_mean).filter((score) => score !== null);
const floor = scores.length ? Math.floor(Math.min(...scores) * 50) / 50 : 1;
const ceiling = scores.length ? Math.ceil(Math.max(...scores) * 50) / 50 : 5;
const chosen = new Set();
const cards = data.triplets.map((pair) => card(pair, () => shownPairs()));
const shownPairs = () => [...grid.children].filter((one) => !one.hidden).map((one) => one.pair);
const chance = (pair) => pair.id.slice(-8);
const ORDERS = {
  best: (a, b) => b.geometric_mean - a.geometric_mean,
  worst: (a, b) => a.geometric_mean - b.geometric_mean,
  category: (a, b) => a.category.localeCompare(b.category) || b.geometric_mean - a.geometric_mean,
  "": (a, b) => chance(a).localeCompare(chance(b)),  // a mix, the same each time
};

function matches(pair, without) {
  const text = `${pair.instruction} ${pair.prompt ?? ""} ${pair.category} ${pair.style}`.toLowerCase();
  const score = pair.geometric_mean ?? ceiling;
  return (without === "category" || !chosen.size || chosen.has(pair.category))
    && (without === "kind" || !fields.kind.value || pair.kind === fields.kind.value)
    && (without === "style" || !fields.style.value || pair.style === fields.style.value)
    && (without === "score" || (score >= +fields.low.value - 1e-9 && score <= +fields.high.value + 1e-9))
    && fields.q.value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
const counted = (key) => {
  const counts = new Map();
  for (const pair of data.triplets) counts.set(pair[key], (counts.get(pair[key]) ?? 0) + matches(pair, key));
  return counts;
};

function prepareFilters() {
  const categories = [...new Set(data.triplets.map((pair) => pair.category))].sort();
  for (const category of categories) {
    const chip = element("button", { type: "button", "data-category": category, "aria-pressed": "false" }, worded(category), element("span", { class: "n" }));
    chip.addEventListener("click", () => { if (!chosen.delete(category)) chosen.add(category); apply(); });
    $(".chips").append(chip);
  }
  fields.kind.append(new Option("any", ""));
  for (const kind of new Set(data.triplets.map((pair) => pair.kind))) fields.kind.append(new Option(kind, kind));
  fields.kind.closest("label").hidden = fields.kind.options.length < 3;
  fields.style.append(new Option("any", ""));
  for (const style of [...new Set(data.triplets.map((pair) => pair.style))].sort()) fields.style.append(new Option(style, style));
  for (const slider of [fields.low, fields.high]) Object.assign(slider, { min: floor, max: ceiling, step: 0.01 });
  [fields.low.value, fields.high.value, fields.size.value] = [floor, ceiling, 260];
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target === fields.size) return layOutAll();
    if (event.target === fields.low) fields.low.value = Math.min(fields.low.value, fields.high.value);
    if (event.target === fields.high) fields.high.value = Math.max(fields.low.value, fields.high.value);
    apply();
  });
  form.addEventListener("reset", (event) => { event.preventDefault(); clear(); apply(); });
}
function clear() {
  chosen.clear();
  for (const name of ["q", "kind", "style", "sort"]) fields[name].value = "";
  [fields.low.value, fields.high.value] = [floor, ceiling];
}

function apply() {
  const ordered = ORDERS[fields.sort.value] ? [...cards].sort((a, b) => ORDERS[fields.sort.value](a.pair, b.pair)) : cards;
  for (const one of cards) one.hidden = !matches(one.pair);
  if (ordered.some((one, i) => grid.children[i] !== one)) grid.replaceChildren(...ordered);
  const shown = cards.filter((one) => !one.hidden).length, all = cards.length;
  $(".found [role=status]").textContent = shown === all ? `${number(all)} triplets` : `${number(shown)} of ${number(all)} triplets`;
  $(".found button").hidden = filters().toString() === "";
  $(".nothing").hidden = shown > 0;
  if (!all) $(".nothing").textContent = "This run has no triplets; below is what was rejected, and why.";
  const categories = counted("category"), styles = counted("style");
  for (const chip of $(".chips").children) {
    const { category } = chip.dataset;
    chip.setAttribute("aria-pressed", chosen.has(category));
    chip.classList.toggle("none", !categories.get(category));
    $(".n", chip).textContent = number(categories.get(category));
  }
  for (const option of [...fields.style.options].slice(1)) option.text = `${option.value} (${styles.get(option.value)})`;
  fields.range.value = `${(+fields.low.value).toFixed(2)} – ${(+fields.high.value).toFixed(2)}`;
  drawHistogram();
  writeHash();
  layOut(grid, +fields.size.value);
}

function drawHistogram() {
  const bins = 40, step = (ceiling - floor) / bins || 1, counts = new Array(bins).fill(0), svg = $(".histogram");
  for (const pair of data.triplets) if (pair.geometric_mean !== null && matches(pair, "score")) counts[Math.min(bins - 1, Math.floor((pair.geometric_mean - floor) / step))] += 1;
  const most = Math.max(...counts, 1);
  svg.setAttribute("viewBox", `0 0 ${bins} 1`);
  svg.innerHTML = counts.map((count, i) => {
    const middle = floor + (i + 0.5) * step, inside = middle >= +fields.low.value && middle <= +fields.high.value;
    return `<rect x="${i}" width=".8" y="${1 - count / most}" height="${count / most}"${inside ? ' class="in"' : ""}/>`;
  }).join("");
}

/* ---- what is chosen lives in the address, so that it can be kept and passed on ------------------------- */

function filters() {
  const kept = new URLSearchParams();
  for (const name of ["q", "kind", "style", "sort"]) if (fields[name].value) kept.set(name, fields[name].value);
  if (+fields.low.value > floor) kept.set("low", fields.low.value);
  if (+fields.high.value < ceiling) kept.set("high", fields.high.value);
  for (const category of [...chosen].sort()) kept.append("category", category);
  return kept;
}
function writeHash() {
  const kept = filters(), pair = viewer.current();
  if (pair) kept.set("open", pair.id);
  const hash = kept.toString();
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
}
function readHash() {
  const kept = new URLSearchParams(location.hash.slice(1));
  clear();
  for (const name of ["q", "kind", "style", "sort", "low", "high"]) if (kept.has(name)) fields[name].value = kept.get(name);
  for (const category of kept.getAll("category")) if (data.triplets.some((pair) => pair.category === category)) chosen.add(category);
  const wanted = kept.get("open");
  apply();
  const everything = [...document.querySelectorAll(".card")].find((one) => one.pair.id === wanted && !one.hidden);
  if (everything) everything.querySelector(".pair").click();
  else if (viewer.current()) viewer.close();
}

/* ---- rejections --------------------------------------------------------------------------------------- */

function showRejections() {
  const most = Math.max(...data.rejections.map((one) => one.count), 1);
  for (const { reason, words, count, pairs } of data.rejections) {
    const made = element("div", { class: "reason", "data-reason": reason },
      element("h3", {}, words, element("span", {}, `${number(count)} · ${reason}`)),
      element("span", { class: "share", style: `width:${100 * count / most}%` }));
    if (pairs.length) made.append(element("div", { class: "grid" }, ...pairs.map((pair) => card(pair, () => pairs))));
    $("#reasons").append(made);
  }
  if (!data.rejections.length) $("#reasons").append(element("p", { class: "note" }, "Nothing was rejected."));
}
function layOutAll() {
  for (const one of document.querySelectorAll(".grid")) layOut(one, one === grid ? +fields.size.value : 190);
}

for (const link of document.querySelectorAll("[data-section]")) link.addEventListener("click", (event) => {
  event.preventDefault();  // the address holds the filters
  document.getElementById(link.dataset.section).scrollIntoView();
});
prepareFilters();
showRejections();
readHash();
addEventListener("hashchange", readHash);
let width = 0;
new ResizeObserver(() => { if (grid.clientWidth !== width) { width = grid.clientWidth; layOutAll(); } }).observe(document.body);
layOutAll();
})();
