// What outlives a reload. Everything is kept for this tab alone, unless the user
// asked for more or the server keeps nothing from anybody.

const PREFIX = "nearlite.";
const memory = new Map(); // where the browser allows no storage

function area(name) {
  try {
    return globalThis[name] ?? null;
  } catch {
    return null;
  }
}

function read(name, key) {
  try {
    return area(name)?.getItem(PREFIX + key) ?? null;
  } catch {
    return null;
  }
}

function write(name, key, value) {
  try {
    if (value === null) area(name)?.removeItem(PREFIX + key);
    else area(name)?.setItem(PREFIX + key, value);
  } catch {
    // A full or forbidden storage: memory has it until the page is left.
  }
}

let lasting = read("localStorage", "remember") !== null;

/** remember decides whether what is kept from now on outlives the tab. */
export function remember(yes) {
  lasting = yes;
  write("localStorage", "remember", yes ? "1" : null);
}

/** get returns what was kept under a key, or null. */
export const get = (key) => read("sessionStorage", key) ?? read("localStorage", key) ?? memory.get(key) ?? null;

/** set keeps a text under a key. */
export function set(key, value) {
  memory.set(key, value);
  write("sessionStorage", key, value);
  if (lasting) write("localStorage", key, value);
}

/** remove forgets what was kept under a key. */
export function remove(key) {
  memory.delete(key);
  write("sessionStorage", key, null);
  write("localStorage", key, null);
}

/** clear forgets everything of the console in this browser. */
export function clear() {
  memory.clear();
  for (const name of ["sessionStorage", "localStorage"]) {
    const s = area(name);
    if (!s) continue;
    for (const key of Object.keys(s)) {
      if (key.startsWith(PREFIX)) s.removeItem(key);
    }
  }
  lasting = false;
}
