// Sign-in: a token, and where it is kept.

import { h, put } from "./dom.js";

/**
 * signIn returns the form. check(token) throws what the server says against a token;
 * done(token, remember) goes on.
 */
export function signIn({ reason, check, done }) {
  const token = h("input", { type: "password", id: "token", name: "token", required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "token-help token-error" });
  const remember = h("input", { type: "checkbox", id: "remember" });
  const message = h("p", { class: "error", id: "token-error", role: "alert" }, reason ?? "");
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    put(message);
    submit.disabled = true;
    const given = token.value.trim().replace(/^Bearer\s+/i, "");
    try {
      await check(given);
      done(given, remember.checked);
    } catch (error) {
      put(message, error.message);
      token.setAttribute("aria-invalid", "true");
      token.select();
    } finally {
      submit.disabled = false;
    }
  } },
  h("p", { class: "brand" }, h("img", { src: "icon.svg", alt: "", width: "24", height: "24" }), "Nearlite"),
  h("h1", {}, "Sign in"),
  h("p", { id: "token-help" }, "This server asks for a token. ", h("code", {}, "nearlite token create"), " makes one."),
  h("label", { for: "token" }, "Token"), token, message,
  h("div", { class: "check" }, remember, h("label", { for: "remember" }, "Remember on this computer"),
    h("p", { class: "about" }, "Otherwise the token is forgotten when this tab is closed.")),
  submit);
  return { element: h("main", { class: "signin", id: "content", tabindex: "-1" }, form), focus: () => token.focus() };
}
