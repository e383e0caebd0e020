// SQL as text: its tokens, where statements end, how names are quoted. What a
// statement means is for the server to say.

const KEYWORDS = new Set(`abort action add after all alter always analyze and as asc attach autoincrement before
begin between by cascade case cast check collate column commit conflict constraint create cross current
current_date current_time current_timestamp database default deferrable deferred delete desc detach distinct do
drop each else end escape except exclude exclusive exists explain fail filter first following for foreign from
full generated glob group groups having if ignore immediate in index indexed initially inner insert instead
intersect into is isnull join key last left like limit match materialized natural no not nothing notnull null
nulls of offset on or order others outer over partition plan pragma preceding primary query raise range
recursive references regexp reindex release rename replace restrict returning right rollback row rows savepoint
select set strict table temp temporary then ties to transaction trigger unbounded union unique update using
vacuum values view virtual when where window with without`.split(/\s+/));

const PATTERN = new RegExp([
  /(?<blank>\s+)/,
  /(?<comment>--[^\n]*|\/\*[^]*?(?:\*\/|$))/,
  /(?<blob>[xX]'[^']*(?:'|$))/,
  /(?<string>'(?:[^']|'')*(?:'|$))/,
  /(?<name>"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[^\]]*(?:\]|$))/,
  /(?<parameter>[?:@$][\p{L}\p{N}_]*)/,
  /(?<number>(?:0[xX][0-9a-fA-F]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))/,
  /(?<word>[\p{L}_][\p{L}\p{N}_$]*)/,
  /(?<sign>.)/,
].map((r) => r.source).join("|"), "gsuy");

/**
 * tokens yields the tokens of a text in order and without holes, blanks too: {type,
 * start, end, text}. A string, name or comment that is not closed goes on to the end.
 */
export function* tokens(text) {
  PATTERN.lastIndex = 0;
  const pattern = new RegExp(PATTERN);
  for (let m = pattern.exec(text); m; m = pattern.exec(text)) {
    let type = Object.keys(m.groups).find((k) => m.groups[k] !== undefined);
    if (type === "word" && KEYWORDS.has(m[0].toLowerCase())) type = "keyword";
    yield { type, start: m.index, end: m.index + m[0].length, text: m[0] };
  }
}

/**
 * statements cuts a text at the semicolons that end a statement: {start, end, text},
 * without the semicolon and the blanks around. A trigger's own semicolons end none.
 */
export function statements(text) {
  const found = [];
  let first = null; // the statement's first token that is neither blank nor comment
  let last = null;
  let words = []; // its first words
  let inTrigger = false;
  let closing = 0; // inside a trigger, how much of "; END ;" is there
  const close = () => {
    if (first) found.push({ start: first.start, end: last.end, text: text.slice(first.start, last.end) });
    first = null;
    words = [];
    inTrigger = false;
    closing = 0;
  };
  for (const token of tokens(text)) {
    if (token.type === "blank" || token.type === "comment") continue;
    if (token.text === ";" && (!inTrigger || closing === 2)) {
      close();
      continue;
    }
    first ??= token;
    last = token;
    if (words.length < 6 && (token.type === "word" || token.type === "keyword")) {
      words.push(token.text.toUpperCase());
      inTrigger ||= /^(EXPLAIN (QUERY PLAN )?)?CREATE (TEMP |TEMPORARY )?TRIGGER$/.test(words.join(" "));
    }
    if (inTrigger) {
      const ends = token.text.toUpperCase() === "END";
      closing = token.text === ";" ? 1 : closing === 1 && ends ? 2 : 0;
    }
  }
  close();
  return found;
}

/**
 * statementAt returns the statement a cursor is in: the first that ends at or behind
 * it, counting what follows on the same line; otherwise the last one.
 */
export function statementAt(text, cursor) {
  const all = statements(text);
  const reach = (s) => {
    const rest = /^[ \t]*;?[ \t]*/.exec(text.slice(s.end));
    return s.end + rest[0].length;
  };
  return all.find((s) => cursor <= reach(s)) ?? all.at(-1) ?? null;
}

/** quote writes a name so that it is one, whatever is in it. */
export const quote = (name) => `"${name.replaceAll('"', '""')}"`;

/** verb returns the first word of a statement in upper case. */
export function verb(sql) {
  for (const token of tokens(sql)) {
    if (token.type !== "blank" && token.type !== "comment") return token.text.toUpperCase();
  }
  return "";
}

/** indexOfByte turns an offset in UTF-8 bytes, as SQLite counts, into one in a JavaScript string. */
export function indexOfByte(text, offset) {
  let bytes = 0;
  let index = 0;
  for (const c of text) {
    if (bytes >= offset) break;
    const code = c.codePointAt(0);
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    index += c.length;
  }
  return index;
}

/** lineAndColumn says where an index is, both counted from 1. */
export function lineAndColumn(text, index) {
  const before = text.slice(0, index);
  return { line: before.split("\n").length, column: index - before.lastIndexOf("\n") };
}
