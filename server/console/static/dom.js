// Elements are made here and nowhere else, always from text: nothing that came out
// of a database is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * h makes an element. A property that is a function is a listener ("onclick"),
 * true sets an attribute without a value, and false, null and undefined set none.
 * Children are nodes, text, or arrays of them; null and false are left out.
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** svg makes an SVG element, as h does. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  element.append(...flat(children));
  return element;
}

const flat = (children) => children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false);

/** put replaces what an element holds. */
export function put(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

const ICONS = {
  run: "M4 3l9 5-9 5z",
  first: "M12 3L7 8l5 5M4 3v10",
  previous: "M10 3L5 8l5 5",
  next: "M6 3l5 5-5 5",
  last: "M4 3l5 5-5 5M12 3v10",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  close: "M4 4l8 8M12 4l-8 8",
  key: "M9 7a3 3 0 1 0-2 2l1 1h2v2h2v2h2v-2z",
  table: "M2 3h12v10H2zM2 6.5h12M6.5 6.5V13",
  view: "M1.5 8s2.5-4 6.5-4 6.5 4 6.5 4-2.5 4-6.5 4-6.5-4-6.5-4zM8 6.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3",
  database: "M3 4c0-1 2-2 5-2s5 1 5 2-2 2-5 2-5-1-5-2zM3 4v8c0 1 2 2 5 2s5-1 5-2V4M3 8c0 1 2 2 5 2s5-1 5-2",
};

/** icon draws a small picture that assistive technology passes over. */
export function icon(name) {
  const filled = name === "run";
  return svg("svg", { class: filled ? "icon filled" : "icon", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: ICONS[name] }));
}

/** button makes a button; its label is read out when it shows only an icon. */
export function button(label, onclick, props = {}) {
  const { iconOnly, iconName, ...rest } = props;
  return h("button", { type: "button", onclick, ...(iconOnly ? { "aria-label": label, title: label } : {}), ...rest },
    iconName ? icon(iconName) : null, iconOnly ? null : h("span", {}, label));
}

/** typing says whether a key press belongs to a text field. */
export function typing(event) {
  const t = event.target;
  return t instanceof HTMLElement && (t.matches("textarea, input:not([type=checkbox]), select") || t.isContentEditable);
}

/** isMac decides between Ctrl and Cmd, in what is pressed and in what is told. */
export const isMac = /Mac|iP(hone|ad|od)/.test(globalThis.navigator?.platform ?? "");

/** control says whether the platform's command key is down. */
export const control = (event) => (isMac ? event.metaKey : event.ctrlKey);

let announcer = null;

/** announce tells assistive technology something that happened. */
export function announce(text) {
  announcer ??= h("div", { class: "unseen", role: "status", "aria-live": "polite" });
  // What is beside an open dialog is not read out.
  const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (announcer.parentElement !== place) place.append(announcer);
  announcer.textContent = "";
  // The same text twice is announced twice only if it was gone in between.
  requestAnimationFrame(() => { announcer.textContent = text; });
}

/**
 * rove lets the arrow keys move between the items of a container, which together
 * are one stop of the Tab key.
 */
export function rove(container, selector, { vertical = false, activate = false } = {}) {
  const items = () => [...container.querySelectorAll(selector)].filter((e) => e.offsetParent !== null);
  const [back, forth] = vertical ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
  const settle = (current) => {
    const all = items();
    const one = current ?? all.find((e) => e.matches("[aria-selected=true], [aria-current=true]")) ?? all[0];
    for (const e of all) e.tabIndex = e === one ? 0 : -1;
  };
  container.addEventListener("focusin", (event) => {
    const item = event.target.closest?.(selector);
    if (item) settle(item);
  });
  container.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(event.target.closest?.(selector));
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const to = { [back]: at - 1, [forth]: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const item = all[(to + all.length) % all.length];
    item.focus();
    if (activate) item.click();
  });
  return settle;
}
