// Two pictures of one size, compared: side by side, slider, flicker, difference; zoom and pan are of both at once.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.module.js";
import { full, small, useKeys, useSize } from "./parts.js";

export const MODES = [["side", "Side by side"], ["slide", "Slider"], ["flicker", "Flicker"], ["difference", "Difference"]];
const FLAGGED = 40; // of 255: what the low-level check calls changed
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** A picture that shows its thumbnail until the stored one is there. */
function useFull(run, image) {
  const [src, setSrc] = useState(small(run, image));
  useEffect(() => {
    let wanted = true;
    setSrc(small(run, image));
    const stored = new Image();
    stored.src = full(run, image);
    stored.decode().then(() => wanted && setSrc(stored.src), () => {});
    return () => { wanted = false; };
  }, [run, image]);
  return src;
}

const decoded = async (run, image, width, height) => {
  const picture = new Image();
  picture.src = full(run, image);
  await picture.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
};

// Black, violet, orange, pale yellow: brighter is more changed, on any background and to colour-blind eyes.
const STOPS = [[0, 0, 0], [72, 20, 110], [190, 54, 84], [250, 140, 30], [252, 250, 180]];
function heat(value) {
  const at = Math.min(3.999, (value / 255) ** 0.6 * 4), from = Math.floor(at), part = at - from;
  return STOPS[from].map((one, n) => one + (STOPS[from + 1][n] - one) * part);
}
const HEAT = Array.from({ length: 256 }, (_, value) => heat(value));

async function paintChange(canvas, run, item, what) {
  const { width, height } = item;
  const [a, b] = await Promise.all([decoded(run, item.source, width, height), decoded(run, item.edited, width, height)]);
  const made = new ImageData(width, height), out = made.data;
  for (let i = 0; i < out.length; i += 4) {
    const most = Math.max(Math.abs(a[i] - b[i]), Math.abs(a[i + 1] - b[i + 1]), Math.abs(a[i + 2] - b[i + 2]));
    if (what === "difference") { [out[i], out[i + 1], out[i + 2]] = HEAT[most]; out[i + 3] = 255; }
    else if (most > FLAGGED) { out[i] = 255; out[i + 1] = 60; out[i + 2] = 20; out[i + 3] = 165; }
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(made, 0, 0);
}

function Change({ run, item, what, style }) {
  const canvas = useRef(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    setFailed(false);
    paintChange(canvas.current, run, item, what).catch(() => setFailed(true));
  }, [run, item.id, what]);
  const words = what === "difference" ? "Where and how much the edit changed the picture" : "The change mask: pixels that differ by more than 40 of 255";
  return html`<canvas ref=${canvas} class=${what} role="img" aria-label=${failed ? "The change can't be drawn: a picture is missing" : words} style=${style}></canvas>`;
}

/** The stage. `mode`, `mask` come from outside; zoom and place are its own. */
export function Stage({ run, item, mode, mask }) {
  const stage = useRef(null);
  const { width, height } = useSize(stage);
  const [zoom, setZoom] = useState({ scale: 1, x: 0.5, y: 0.5 }); // x, y: the point of the picture in the middle
  const [cut, setCut] = useState(0.5);
  const [held, setHeld] = useState(false);
  const before = useFull(run, item.source), after = useFull(run, item.edited);
  const single = item.source === item.edited;
  useLayoutEffect(() => { setCut(0.5); setHeld(false); setZoom({ scale: 1, x: 0.5, y: 0.5 }); }, [item.id]);
  useEffect(() => {
    setHeld(false);
    if (mode !== "flicker" || calm.matches) return;
    const timer = setInterval(() => setHeld((on) => !on), 650);
    return () => clearInterval(timer);
  }, [mode, item.id]);

  const aspect = item.width / item.height, gap = 6;
  const fit = (w, h) => { const high = Math.max(1, Math.min(h, w / aspect)); return [high * aspect, high]; };
  const beside = fit((width - gap) / 2, height), above = fit(width, (height - gap) / 2);
  const across = beside[1] >= above[1];
  const twice = mode === "side" && !single;
  const pane = twice ? (across ? [(width - gap) / 2, height] : [width, (height - gap) / 2]) : [width, height];
  const [wide, high] = fit(...pane);
  const pixelScale = item.width / wide / devicePixelRatio; // zoom at which a picture pixel is a screen pixel
  const bounded = ({ scale, x, y }) => {
    const s = Math.min(Math.max(1, scale), Math.max(8, 8 * pixelScale));
    const rx = Math.min(0.5, pane[0] / (2 * wide * s)), ry = Math.min(0.5, pane[1] / (2 * high * s));
    return { scale: s, x: Math.min(1 - rx, Math.max(rx, x)), y: Math.min(1 - ry, Math.max(ry, y)) };
  };
  const zoomTo = (scale) => setZoom((old) => bounded({ ...old, scale }));
  const { scale, x, y } = bounded(zoom);
  const placed = { width: `${wide * scale}px`, height: `${high * scale}px`, left: `${pane[0] / 2 - x * wide * scale}px`, top: `${pane[1] / 2 - y * high * scale}px` };
  const sharp = scale * wide * devicePixelRatio > 1.5 * item.width ? "pixels" : "";

  useKeys({
    "+": () => zoomTo(zoom.scale * 1.5), "=": () => zoomTo(zoom.scale * 1.5), "-": () => zoomTo(zoom.scale / 1.5), 0: () => zoomTo(1),
    z: () => zoomTo(Math.abs(scale - Math.max(1, pixelScale)) < 0.01 ? Math.max(4, 4 * pixelScale) : Math.max(1, pixelScale)),
    " ": (event) => { if (event.target.closest?.("summary, a, button")) return false; setHeld(true); },
  });
  useEffect(() => {
    const up = (event) => event.key === " " && setHeld(false);
    addEventListener("keyup", up);
    return () => removeEventListener("keyup", up);
  }, []);
  useEffect(() => {
    const turn = (event) => { event.preventDefault(); setZoom((old) => bounded({ ...old, scale: old.scale * Math.exp(-event.deltaY / 400) })); };
    const node = stage.current;
    node.addEventListener("wheel", turn, { passive: false });
    return () => node.removeEventListener("wheel", turn);
  }, [wide, high]);

  const drag = useRef(null);
  const slide = (event) => { const box = stage.current.getBoundingClientRect(); setCut(Math.min(1, Math.max(0, (event.clientX - box.left - parseFloat(placed.left)) / (wide * scale)))); };
  const down = (event) => { if (event.button) return; event.currentTarget.setPointerCapture(event.pointerId); drag.current = [event.clientX, event.clientY]; if (mode === "slide" && scale === 1) slide(event); };
  const moved = (event) => {
    if (mode === "slide" && (scale === 1 ? event.pointerType === "mouse" || drag.current : !drag.current)) return slide(event);
    if (!drag.current || scale === 1) return;
    const [fromX, fromY] = drag.current;
    drag.current = [event.clientX, event.clientY];
    setZoom((old) => bounded({ ...old, x: old.x - (event.clientX - fromX) / (wide * scale), y: old.y - (event.clientY - fromY) / (high * scale) }));
  };
  const layers = (which) => html`
    <img class=${sharp} src=${which === "before" ? before : after} alt=${`${which === "before" ? "Before" : "After"}: ${item.instruction}`} style=${placed} draggable="false"/>
    ${mask && !single && which === "after" && html`<${Change} run=${run} item=${item} what="mask" style=${placed}/>`}`;
  const clipped = mode === "slide" && !single ? { clipPath: `inset(0 0 0 ${parseFloat(placed.left) + cut * wide * scale}px)` } : {};
  const paneStyle = (n) => ({ width: `${pane[0]}px`, height: `${pane[1]}px`, left: twice && n && across ? `${pane[0] + gap}px` : 0, top: twice && n && !across ? `${pane[1] + gap}px` : 0 });
  return html`<div class="stage" ref=${stage} data-mode=${mode} data-zoomed=${scale > 1} onPointerDown=${down} onPointerMove=${moved}
      onPointerUp=${() => { drag.current = null; }} onPointerCancel=${() => { drag.current = null; }} onDblClick=${() => zoomTo(scale > 1 ? 1 : Math.max(2, pixelScale))}>
    ${width > 0 && html`
      <div class="pane before" style=${paneStyle(0)}>${layers("before")}</div>
      ${!single && html`<div class="pane after" style=${{ ...paneStyle(1), ...clipped, visibility: held && !twice ? "hidden" : null }}>${mode === "difference"
        ? html`<${Change} run=${run} item=${item} what="difference" style=${placed}/>` : twice && held ? layers("before") : layers("after")}</div>`}
      ${mode === "slide" && !single && html`<span class="handle" style=${{ left: `${parseFloat(placed.left) + cut * wide * scale}px` }}></span>`}
      ${!single && html`<span class="tag">${held ? "before" : mode === "side" ? "before · after" : mode === "difference" ? "difference" : mode === "slide" ? "before | after" : "after"}</span>`}
      ${scale > 1 && html`<span class="tag zoom">${Math.round((100 * scale * wide * devicePixelRatio) / item.width)} %</span>`}`}
  </div>`;
}
