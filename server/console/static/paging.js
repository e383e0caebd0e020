// The SQL of the data browser: a page of a table in a stable order. Names are quoted
// and values are parameters, without exception.

import { quote } from "./sql.js";

/** OPERATORS are those of the filter, as they are shown. */
export const OPERATORS = ["contains", "starts with", "=", "≠", "<", "≤", ">", "≥", "is null", "is not null"];

const COMPARE = { "=": "=", "≠": "IS NOT", "<": "<", "≤": "<=", ">": ">", "≥": ">=" };

/**
 * key returns the columns that order a table and tell its rows apart: [{name, sql}].
 * Views and virtual tables without a rowid have none.
 */
export function key(table) {
  if (table.type === "view") return [];
  if (table.without_rowid) {
    return table.columns.filter((c) => c.primary_key > 0).sort((a, b) => a.primary_key - b.primary_key)
      .map((c) => ({ name: c.name, sql: quote(c.name) }));
  }
  if (table.type === "virtual" || table.type === "shadow") return [];
  // A column may be called like the rowid; one of its three names is usually free.
  const taken = new Set(table.columns.map((c) => c.name.toLowerCase()));
  const free = ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name));
  return free ? [{ name: free, sql: free }] : [];
}

/** where writes the condition of a filter {column, operator, value}, column "" being any. */
export function where(table, filter, parameter) {
  if (!filter || (filter.value === "" && !filter.operator.startsWith("is "))) return "";
  const columns = table.columns.filter((c) => (filter.column === "" ? !c.hidden : c.name === filter.column));
  if (columns.length === 0) return "0";
  const condition = writer(filter, parameter);
  const none = filter.operator === "≠" || filter.operator === "is not null";
  return `(${columns.map((c) => condition(quote(c.name), c.type)).join(none ? " AND " : " OR ")})`;
}

function writer({ operator, value }, parameter) {
  switch (operator) {
    case "contains":
    case "starts with": {
      const escaped = value.replace(/[\\%_]/g, "\\$&");
      const p = parameter(operator === "contains" ? `%${escaped}%` : `${escaped}%`);
      return (column) => `${column} LIKE ${p} ESCAPE '\\'`;
    }
    case "is null":
      return (column) => `${column} IS NULL`;
    case "is not null":
      return (column) => `${column} IS NOT NULL`;
    default: {
      const p = parameter(value);
      const isNumber = /^-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(value);
      return (column, type) => {
        // A column with an affinity makes a number of the text, or not, by itself,
        // and can use its index; one without holds either.
        if (!isNumber || hasAffinity(type)) return `${column} ${COMPARE[operator]} ${p}`;
        return `${column} ${COMPARE[operator]} CASE typeof(${column}) WHEN 'text' THEN ${p} ELSE CAST(${p} AS NUMERIC) END`;
      };
    }
  }
}

const hasAffinity = (type) => type !== "" && !(/BLOB/i.test(type) && !/INT|CHAR|CLOB|TEXT/i.test(type));

/**
 * page writes the statement that reads one page. from is null for the first page,
 * or {values, back}: behind (or before) the row whose sort value and key values
 * these are; or {last: true}; or {offset} for what has no key. The rows come with
 * sort value and key values behind the shown columns, one row more than asked for
 * if there are more, and backwards when reading back.
 */
export function page(table, { sort = null, filter = null, from = null, size }) {
  const params = [];
  const parameter = (value) => `?${params.push(value)}`;
  const columns = table.columns.filter((c) => !c.hidden).map((c) => quote(c.name));
  const order = ordering(table, sort);
  const back = Boolean(from?.back || from?.last);
  const conditions = [where(table, filter, parameter), from?.values ? beyond(order, from.values, back, parameter) : ""].filter(Boolean);
  const extra = order.map((o) => o.sql);
  const sql = [
    `SELECT ${[...columns, ...extra].join(", ") || "*"}`,
    `FROM ${quote(table.name)}`,
    conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "",
    order.length > 0 ? `ORDER BY ${order.map((o) => `${o.sql} ${o.descending !== back ? "DESC" : "ASC"}`).join(", ")}` : "",
    `LIMIT ${size + 1}`,
    from?.offset ? `OFFSET ${from.offset}` : "",
  ].filter(Boolean).join(" ");
  return { sql, params, shown: columns.length, back };
}

// ordering is the sort column, if any, and the key.
function ordering(table, sort) {
  const keys = key(table).map((k) => ({ sql: k.sql, descending: sort?.descending ?? false, nullable: false }));
  if (!sort) return keys;
  return [{ sql: quote(sort.column), descending: sort.descending, nullable: true }, ...keys];
}

// beyond writes that a row comes behind another in an order, or before it. A row
// value can use an index. NULL is smaller than everything, and comparisons with it
// are NULL, so the sort column needs words of its own; keys are never NULL.
function beyond(order, values, back, parameter) {
  const up = order[0].descending === back;
  const compare = (from) => {
    const columns = order.slice(from).map((o) => o.sql).join(", ");
    return `(${columns}) ${up ? ">" : "<"} (${values.slice(from).map(parameter).join(", ")})`;
  };
  const [{ sql, nullable }] = order;
  if (!nullable) return compare(0);
  if (values[0] === null) return up ? `(${sql} IS NOT NULL OR ${compare(1)})` : `(${sql} IS NULL AND ${compare(1)})`;
  return up ? compare(0) : `(${compare(0)} OR ${sql} IS NULL)`;
}

/** pagesByKey says whether a table's pages are found by key, or by counting rows. */
export const pagesByKey = (table) => key(table).length > 0;

/** counting writes the statement that counts rows, but no more than max. */
export function counting(table, filter, max) {
  const params = [];
  const condition = where(table, filter, (value) => `?${params.push(value)}`);
  return {
    sql: `SELECT count(*) FROM (SELECT 1 FROM ${quote(table.name)}${condition ? ` WHERE ${condition}` : ""} LIMIT ${max + 1})`,
    params,
  };
}
