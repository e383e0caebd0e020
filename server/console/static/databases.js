// The list of databases: choose one, make, copy, rename and delete them.

import { ask, openDialog } from "./dialog.js";
import { button, h, icon, put } from "./dom.js";
import { bytes } from "./format.js";
import { Refused } from "./client.js";

const MAIN = "main"; // always there: it cannot be renamed or deleted

/** showDatabases lists the databases of the server. */
export function showDatabases(app) {
  const list = h("ul", { class: "databases" });
  const message = h("p", { class: "error", role: "alert" });
  const filter = h("input", { type: "search", placeholder: "Find by the beginning of its name", "aria-label": "Find a database", oninput: () => soon(), onkeydown: (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    list.querySelector("button.choose")?.click();
  } });
  let timer = 0;
  let asked = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => fill(), 150);
  };
  const choose = (name) => {
    dialog.close();
    app.choose(name);
  };
  const row = (d) => h("li", { "aria-current": d.name === app.database ? "true" : null },
    h("button", { type: "button", class: "choose", onclick: () => choose(d.name) },
      icon("database"), h("span", { class: "name" }, d.name), d.bytes === undefined ? null : h("span", { class: "about" }, bytes(d.bytes))),
    app.access.admin ? h("span", { class: "buttons" },
      button("Fork", () => fork(app, d.name, fill), { class: "quiet", "aria-label": `Fork ${d.name}` }),
      d.name === MAIN ? null : button("Rename", () => rename(app, d.name, fill), { class: "quiet", "aria-label": `Rename ${d.name}` }),
      d.name === MAIN ? null : button("Delete", () => remove(app, d.name, fill), { class: "quiet", "aria-label": `Delete ${d.name}` })) : null);

  async function fill(after = "") {
    const mine = ++asked;
    put(message);
    try {
      const { databases, next } = await app.client.databases({ prefix: filter.value, after });
      if (mine !== asked) return;
      const rows = databases.map(row);
      if (next) rows.push(h("li", {}, button("More", (event) => {
        event.target.closest("li").remove();
        fill(next);
      }, { class: "quiet" })));
      if (after === "") put(list, rows, rows.length === 0 ? h("li", { class: "note" }, "No database is called so.") : null);
      else list.append(...rows);
    } catch (error) {
      if (mine !== asked) return;
      // A token for one database may not list the others; it may still name them.
      if (error instanceof Refused && error.status === 403) put(list, byName(app, choose));
      else put(message, error.message);
      app.failed(error);
    }
  }

  const dialog = openDialog({
    title: "Databases", wide: true, content: [filter, message, list],
    actions: (close) => [
      app.access.admin ? button("New database", () => create(app, choose)) : h("span", { class: "about" }, "This token may not create, rename or delete databases."),
      button("Close", close),
    ],
  });
  filter.focus();
  fill();
}

function byName(app, choose) {
  const input = h("input", { type: "text", id: "database-name", value: app.database, autocomplete: "off", spellcheck: "false" });
  return h("li", {}, h("form", { onsubmit: (event) => {
    event.preventDefault();
    choose(input.value.trim());
  } }, h("label", { for: "database-name" }, "This token may not list databases. Open one by name:"), input, h("button", { type: "submit", class: "primary" }, "Open")));
}

const create = (app, choose) => ask({
  title: "New database", explain: "An empty database.", label: "Name", verb: "Create",
  act: async (name) => {
    await app.client.create(name);
    choose(name);
  },
});

const fork = (app, from, done) => ask({
  title: `Fork ${from}`, explain: `A copy of ${from} as it is at this moment; from then on they are apart.`, label: "Name of the copy", value: `${from}-copy`, verb: "Fork",
  act: async (name) => {
    await app.client.create(name, from);
    app.toast(`${from} was forked to ${name}`);
    done();
  },
});

const rename = (app, name, done) => ask({
  title: `Rename ${name}`, explain: "Clients that use the old name will not find it any more.", label: "New name", value: name, verb: "Rename",
  act: async (to) => {
    await app.client.rename(name, to);
    app.toast(`${name} is now called ${to}`);
    if (name === app.database) app.choose(to);
    done();
  },
});

const remove = (app, name, done) => ask({
  title: `Delete ${name}`, explain: `Everything in ${name} will be gone, for good. To go on, type its name.`, label: `Type ${name}`, must: name, verb: "Delete", danger: true,
  act: async () => {
    await app.client.remove(name);
    app.toast(`${name} was deleted`);
    if (name === app.database) app.choose("");
    done();
  },
});
