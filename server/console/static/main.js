// The console: who is here, which database, which view; the address bar knows both.

import { Client, Refused, claimed } from "./client.js";
import { announce, button, control, h, icon, put, rove, typing } from "./dom.js";
import { BrowseView } from "./browse.js";
import { LiveView } from "./live.js";
import { Monitor } from "./monitor.js";
import { QueryView } from "./query.js";
import { showDatabases } from "./databases.js";
import { showShortcuts } from "./dialog.js";
import { signIn } from "./signin.js";
import { span, version } from "./format.js";
import * as store from "./store.js";

const VIEWS = [["query", "Query"], ["data", "Data"], ["live", "Live"]];
const NOWHERE = "~"; // in an address: the database the server chooses

class App {
  #views = null;
  #page = document.getElementById("page");
  #starting = 0;

  constructor() {
    // The API lies beside the console, also behind a proxy that adds a path.
    this.root = new URL("..", location.href.split("#")[0]);
    this.token = store.get("token") ?? "";
    this.database = "";
    this.access = { token: false, write: false, admin: false };
    this.monitor = new Monitor();
    this.monitor.on((error) => this.#pulse(error));
    addEventListener("hashchange", () => this.#route());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** start asks the server who we are, and shows the console or the sign-in. */
  async start(database = route().database) {
    const turn = ++this.#starting;
    const client = new Client(this.root, this.token, database);
    try {
      const status = await client.status();
      if (turn === this.#starting) this.#enter(client, status);
    } catch (error) {
      if (turn !== this.#starting) return;
      if (error instanceof Refused && error.status === 401) this.#refused(this.token ? `The server refuses the token: ${error.message}` : null);
      else if (error instanceof Refused && [403, 404].includes(error.status)) this.#astray(error, database);
      else {
        put(this.#page, h("main", { class: "signin", id: "content", tabindex: "-1" }, h("h1", {}, "Disconnected"), h("p", { role: "alert" }, `${error.message} Trying again…`)));
        setTimeout(() => turn === this.#starting && this.start(database), 1000);
      }
    }
  }

  /** address is the link to a view of this database. */
  address(view, ...rest) {
    return `#/${[this.database || NOWHERE, view, ...rest].filter((p) => p !== "").map(encodeURIComponent).join("/")}`;
  }

  /** choose goes to another database; "" is the server's choice. */
  choose(database) {
    const { view } = route();
    location.hash = `#/${encodeURIComponent(database || NOWHERE)}/${view}`;
  }

  /** openQuery puts a statement into the editor and shows it. */
  openQuery(sql) {
    this.#open("query");
    this.#views.query.open(sql);
  }

  /** schemaChanged has the data view read it again. */
  schemaChanged() {
    this.#views?.data.forget();
  }

  /** failed is told of errors that a view has shown; one that ends the session shows the sign-in. */
  failed(error) {
    if (error instanceof Refused && error.status === 401) this.#refused(`The server refuses the token: ${error.message}`);
  }

  /** toast shows a short message that goes by itself. */
  toast(text) {
    // A popover, so that it lies above dialogs too.
    const note = h("div", { class: "toast", popover: "manual" }, text);
    document.body.append(note);
    note.showPopover();
    announce(text);
    setTimeout(() => note.remove(), 3000);
  }

  #enter(client, status) {
    this.access = status.access;
    this.database = status.database.name;
    this.client = client.on(this.database);
    if (!this.#views) this.#build();
    this.#views.query.clear();
    this.#views.data.forget();
    put(this.name, this.database);
    this.signOut.hidden = this.token === "";
    document.title = `${this.database} – Nearlite`;
    this.monitor.start(this.client, status);
    const { view, rest } = route();
    history.replaceState(null, "", this.address(view, ...rest));
    this.#route();
    if (document.activeElement === document.body) this.#views[view].focus();
  }

  #build() {
    this.#views = { query: new QueryView(this), data: new BrowseView(this), live: new LiveView(this) };
    this.tabs = Object.fromEntries(VIEWS.map(([view, title], i) => [view, h("button", {
      type: "button", role: "tab", id: `tab-${view}`, "aria-controls": `view-${view}`, title: `Alt+${i + 1}`, onclick: () => this.#open(view),
    }, title)]));
    this.panels = Object.fromEntries(VIEWS.map(([view]) => [view, h("div", { role: "tabpanel", id: `view-${view}`, "aria-labelledby": `tab-${view}`, class: "view", hidden: true }, this.#views[view].element)]));
    const tablist = h("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, Object.values(this.tabs));
    this.settleTabs = rove(tablist, "[role=tab]", { activate: true });
    this.name = h("span", { class: "name" });
    this.signOut = button("Sign out", () => this.#leave(), { class: "quiet" });
    this.pulse = h("span", { class: "pulse", role: "status" });
    this.about = h("span", { class: "about grow" });
    this.place = h("span", { class: "about position" });
    put(this.#page,
      h("header", { class: "top" },
        h("h1", {}, h("img", { src: "icon.svg", alt: "", width: "20", height: "20" }), h("span", {}, "Nearlite")),
        h("button", { type: "button", class: "database", "aria-haspopup": "dialog", "aria-label": "Database", "aria-describedby": "database-name-now", onclick: () => showDatabases(this) }, icon("database"), this.name, icon("down")),
        h("span", { class: "unseen", id: "database-name-now" }),
        tablist,
        h("span", { class: "grow" }),
        button("Keyboard shortcuts", () => showShortcuts(), { class: "quiet help", iconOnly: true }),
        this.signOut),
      h("main", { id: "content", tabindex: "-1" }, Object.values(this.panels)),
      h("footer", { class: "bottom" }, this.pulse, this.about, this.place));
    this.#page.querySelector(".help").append("?");
  }

  #open(view) {
    const { rest } = view === "data" && this.#views.data.table ? { rest: [this.#views.data.table.name] } : { rest: [] };
    // Not by way of location.hash, whose event comes later: the view is shown at once,
    // so that it can take the focus.
    history.pushState(null, "", this.address(view, ...rest));
    this.#route();
  }

  // #route shows what the address names.
  #route() {
    if (!this.#views) return;
    const { database, view, rest } = route();
    if (database !== this.database) {
      this.start(database);
      return;
    }
    for (const [name] of VIEWS) {
      this.tabs[name].setAttribute("aria-selected", String(name === view));
      this.panels[name].hidden = name !== view;
    }
    this.settleTabs();
    document.getElementById("database-name-now").textContent = this.database;
    if (view === "data") this.#views.data.show(...rest);
    if (view === "live") this.#views.live.draw();
  }

  #pulse(error) {
    if (error) this.failed(error);
    if (!this.#views) return;
    const { status, lost } = this.monitor;
    const up = lost === null;
    this.pulse.classList.toggle("lost", !up);
    const text = up ? "Connected" : error instanceof Refused ? error.message : "Disconnected, trying again";
    if (this.pulse.textContent !== text) put(this.pulse, h("span", { class: "light", "aria-hidden": "true" }), text);
    if (!up) return;
    this.about.textContent = `${version(status.version)} · up ${span((Date.parse(status.now) - Date.parse(status.started)) / 1000)}${status.access.write ? "" : " · read only"}`;
    this.about.title = status.version;
    this.place.textContent = status.database.position;
    this.place.title = `Position of the latest commit: ${status.database.position}`;
    this.access = status.access;
  }

  #refused(reason) {
    this.monitor.stop();
    this.#views = null;
    document.title = "Sign in – Nearlite";
    for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    const form = signIn({
      reason,
      check: (token) => new Client(this.root, token, this.#wanted(token)).status(),
      done: (token, remember) => {
        store.remember(remember);
        store.set("token", token);
        this.token = token;
        put(this.#page);
        this.start(this.#wanted(token));
      },
    });
    put(this.#page, form.element);
    form.focus();
  }

  // #wanted is the database to sign in to: the address's, or the one the token was made for.
  #wanted(token) {
    return route().database || claimed(token);
  }

  #astray(error, database) {
    if (this.#views) this.toast(error.message);
    const elsewhere = claimed(this.token) || "";
    if (database !== "" && database !== elsewhere) {
      this.toast(error.message);
      location.hash = `#/${encodeURIComponent(this.database || elsewhere || NOWHERE)}/query`;
      if (!this.#views) this.start(elsewhere);
    } else this.#refused(error.message);
  }

  #leave() {
    store.clear();
    this.token = "";
    this.monitor.stop();
    this.#views = null;
    put(this.#page);
    history.replaceState(null, "", "#");
    this.database = "";
    this.start("");
  }

  #key(event) {
    if (document.querySelector("dialog[open]") || !this.#views) return;
    const digit = /^Digit([1-3])$/.exec(event.code)?.[1];
    if (event.altKey && digit && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const [view] = VIEWS[digit - 1];
      this.#open(view);
      (view === "live" ? this.tabs.live : this.#views[view]).focus();
    } else if (control(event) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      showDatabases(this);
    } else if (event.key === "?" && !typing(event) && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      showShortcuts();
    } else if (event.key === "Escape") {
      this.#views.query.stop();
    }
  }
}

// route reads the address: #/database/view/…
function route() {
  const [database = "", view = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  return {
    database: database === NOWHERE ? "" : database,
    view: VIEWS.some(([name]) => name === view) ? view : "query",
    rest,
  };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

document.querySelector(".skip").addEventListener("click", (event) => {
  // The address is the console's own; the link must not change it.
  event.preventDefault();
  document.getElementById("content")?.focus();
});

new App().start();
