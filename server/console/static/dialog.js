// Dialogs: the browser's own, which keep the focus inside and close with Escape.

import { button, h, isMac, put } from "./dom.js";

let opened = 0; // so that each has a name of its own

/**
 * openDialog shows a modal dialog. actions(close) are the buttons at its foot; the
 * focus returns to where it was. The answer is the dialog's element.
 */
export function openDialog({ title, about = "", content, actions = null, wide = false, onclose = null }) {
  const close = () => dialog.close();
  const titleID = `dialog-title-${++opened}`;
  const back = document.activeElement;
  const cursor = back instanceof HTMLTextAreaElement ? [back.selectionStart, back.selectionEnd] : null;
  const dialog = h("dialog", { class: wide ? "wide" : "", "aria-labelledby": titleID, onclose: () => {
    dialog.remove();
    // The browser has given the focus back, unless it went to something that is gone.
    if (document.activeElement === document.body && back?.isConnected) back.focus();
    // A click that closes the dialog takes the cursor along.
    if (cursor && document.activeElement === back) back.setSelectionRange(...cursor);
    onclose?.();
  } },
  h("header", {},
    h("h2", { id: titleID }, title), about ? h("span", { class: "about" }, about) : null,
    button("Close", close, { class: "quiet", iconOnly: true, iconName: "close" })),
  h("div", { class: "content" }, content),
  actions ? h("footer", {}, actions(close)) : null);
  // A click beside the dialog hits the dialog itself, never what is in it.
  let pressedOutside = false;
  dialog.addEventListener("pointerdown", (event) => { pressedOutside = event.target === dialog; });
  dialog.addEventListener("click", (event) => { if (pressedOutside && event.target === dialog) close(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * ask shows a form of one text field and calls act with what was typed. must, if
 * given, is what has to be typed before the button works. An error of act is shown
 * and the dialog stays.
 */
export function ask({ title, explain, label, value = "", must = null, verb, danger = false, act }) {
  const input = h("input", { type: "text", id: "ask-value", value, autocomplete: "off", spellcheck: "false", autocapitalize: "off", "aria-describedby": "ask-explain", oninput: () => check() });
  const submit = h("button", { type: "submit", class: danger ? "danger" : "primary" }, verb);
  const message = h("p", { class: "error", role: "alert" });
  const check = () => { submit.disabled = must === null ? input.value.trim() === "" : input.value !== must; };
  const form = h("form", { method: "dialog", onsubmit: async (event) => {
    event.preventDefault();
    put(message);
    submit.disabled = true;
    try {
      await act(input.value.trim());
      dialog.close();
    } catch (error) {
      put(message, error.message);
      check();
      input.focus();
    }
  } },
  h("p", { id: "ask-explain" }, explain),
  h("label", { for: "ask-value" }, label), input, message,
  h("div", { class: "buttons" }, button("Cancel", () => dialog.close()), submit));
  const dialog = openDialog({ title, content: form });
  check();
  input.focus();
  input.select();
  return dialog;
}

const CONTROL = isMac ? "⌘" : "Ctrl";
const ALT = isMac ? "⌥" : "Alt";

/** SHORTCUTS are the keys and what they do, as the help shows them. */
export const SHORTCUTS = [
  ["Everywhere", [
    [[ALT, "1"], "the SQL editor"], [[ALT, "2"], "tables and data"], [[ALT, "3"], "live figures"],
    [[CONTROL, "K"], "choose a database"], [["?"], "this list (outside text fields)"], [["Esc"], "close, or stop what runs"],
  ]],
  ["Editor", [
    [[CONTROL, "Enter"], "run the selection, or the statement at the cursor"], [[CONTROL, "Shift", "Enter"], "run everything, as one transaction"],
    [[ALT, "↑"], "earlier statement"], [[ALT, "↓"], "later statement"], [["Tab"], "leave the editor"],
  ]],
  ["Tables", [
    [["↑", "↓", "←", "→"], "move between cells"], [["Enter"], "show all of a value"], [[CONTROL, "C"], "copy a value"],
    [[CONTROL, "Home"], "first cell"], [[CONTROL, "End"], "last cell"],
  ]],
  ["Data", [
    [["/"], "filter"], [["["], "previous page"], [["]"], "next page"],
  ]],
];

/** showShortcuts lists the keys. */
export function showShortcuts() {
  openDialog({
    title: "Keyboard", wide: true,
    content: h("div", { class: "shortcuts" }, SHORTCUTS.map(([where, keys]) => h("section", {},
      h("h3", {}, where),
      h("dl", {}, keys.map(([combination, what]) => h("div", {},
        h("dt", {}, combination.map((k) => h("kbd", {}, k))), h("dd", {}, what))))))),
  });
}

