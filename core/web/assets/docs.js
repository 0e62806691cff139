"use strict";
// Shows one OpenAPI 3.1 document and lets one call its operations. Loads nothing but that document; all text is set as
// text, never as markup.

const at = (id) => document.getElementById(id);
const el = (tag, props = {}, ...kids) => {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...kids.filter((k) => k !== null && k !== undefined));
  return made;
};
let doc = {};

// Text with `code` in it, as nodes.
const prose = (text) => (text || "").split("`").map((part, i) => (i % 2 ? el("code", { textContent: part }) : part));
const about = (text, tag = "div") => el(tag, { className: "about" }, ...prose(text));

const resolve = (schema) => (schema && schema.$ref ? schema.$ref.slice(2).split("/").reduce((o, k) => o[k], doc) : schema) || {};
const nameOf = (schema) => (schema.$ref ? schema.$ref.split("/").pop() : "");
const variants = (schema) => schema.oneOf || schema.anyOf || schema.allOf;

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if (variants(schema)) return variants(schema).map(typeOf).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type || "any";
  if (type === "array") return `${typeOf(schema.items || {})}[]`;
  if (type === "object" && schema.additionalProperties && typeof schema.additionalProperties === "object")
    return `{string: ${typeOf(schema.additionalProperties)}}`;
  return schema.format ? `${type} (${schema.format})` : type;
}

function limits(schema) {
  const shown = { minimum: "≥", maximum: "≤", exclusiveMinimum: ">", exclusiveMaximum: "<", minLength: "length ≥",
    maxLength: "length ≤", minItems: "items ≥", maxItems: "items ≤", pattern: "matches" };
  const found = Object.entries(shown).filter(([k]) => schema[k] !== undefined).map(([k, sign]) => `${sign} ${schema[k]}`);
  if (schema.default !== undefined && schema.default !== null) found.push(`default ${JSON.stringify(schema.default)}`);
  const examples = schema.examples && (Array.isArray(schema.examples) ? schema.examples : Object.values(schema.examples));
  if (examples && examples.length) found.push(`e.g. ${JSON.stringify(examples[0].value === undefined ? examples[0] : examples[0].value)}`);
  return found.join(", ");
}

function nested(schema, seen) {
  // The structs inside a schema, each shown once on the way down.
  if (schema.$ref) return seen.includes(schema.$ref) ? null : tree(schema, [...seen, schema.$ref]);
  if (schema.items) return nested(schema.items, seen);
  if (variants(schema)) {
    const inner = variants(schema).map((v) => nested(v, seen)).filter(Boolean);
    return inner.length ? el("div", {}, ...inner) : null;
  }
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") return nested(schema.additionalProperties, seen);
  return schema.properties ? tree(schema, seen) : null;
}

function tree(schema, seen = []) {
  const real = resolve(schema);
  if (!real.properties) return nested(real, seen) || el("div", { className: "type", textContent: `${typeOf(real)} ${limits(real)}` });
  const list = el("ul", { className: "schema" });
  for (const [name, field] of Object.entries(real.properties)) {
    const must = (real.required || []).includes(name);
    const line = el("li", {}, el("code", { textContent: name }), must ? el("span", { className: "must", textContent: "*" }) : null,
      " ", el("span", { className: "type", textContent: typeOf(field) }), " ", limits(field), ...prose(field.description ? ` — ${field.description}` : ""));
    const inner = nested(field, seen);
    if (inner) line.append(el("details", {}, el("summary", { textContent: "fields" }), inner));
    list.append(line);
  }
  return el("div", {}, real.description ? about(real.description) : null, list);
}

function sample(schema, depth = 0) {
  const real = resolve(schema);
  const examples = real.examples && (Array.isArray(real.examples) ? real.examples : Object.values(real.examples));
  if (examples && examples.length) return examples[0].value === undefined ? examples[0] : examples[0].value;
  if (real.default !== undefined) return real.default;
  if (real.enum) return real.enum[0];
  if (real.const !== undefined) return real.const;
  if (variants(real)) return sample(variants(real)[0], depth);
  if (depth > 5) return null;
  if (real.properties) return Object.fromEntries(Object.entries(real.properties)
    .filter(([name, f]) => (real.required || []).includes(name) || (f.examples && f.examples.length))
    .map(([name, f]) => [name, sample(f, depth + 1)]));
  const type = Array.isArray(real.type) ? real.type[0] : real.type;
  return { string: "string", integer: real.minimum || 1, number: 1, boolean: true, array: [sample(real.items || {}, depth + 1)], object: {} }[type] ?? null;
}

const contentOf = (holder) => Object.entries((holder && holder.content) || {})[0] || [null, {}];

function tryIt(path, method, op) {
  const inputs = (op.parameters || []).map((p) => {
    const example = p.name === "Idempotency-Key" ? crypto.randomUUID() : "";
    return [p, el("input", { value: example, placeholder: `${p.name} (${p.in})`, "ariaLabel": p.name })];
  });
  const [media, content] = contentOf(op.requestBody);
  const body = media === "application/json" ? el("textarea", { value: JSON.stringify(sample(content.schema), null, 2) }) : null;
  const file = media && media !== "application/json" ? el("input", { type: "file" }) : null;
  const out = el("pre", { hidden: true });
  const go = el("button", { textContent: "Send" });
  go.onclick = async () => {
    let url = path;
    const query = new URLSearchParams();
    const headers = { "Accept-Language": at("lang").value };
    for (const [p, input] of inputs) {
      if (p.in === "path") url = url.replace(`{${p.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "" && p.in === "query") query.append(p.name, input.value);
      else if (input.value !== "" && p.in === "header") headers[p.name] = input.value;
    }
    if (at("token").value) headers.Authorization = `Bearer ${at("token").value}`;
    const init = { method: method.toUpperCase(), headers };
    if (body) { headers["Content-Type"] = "application/json"; init.body = body.value; }
    if (file && file.files[0]) { init.body = new FormData(); init.body.append("data", file.files[0]); }
    out.hidden = false;
    try {
      const answer = await fetch(url + (query.size ? `?${query}` : ""), init);
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
      out.textContent = `${answer.status} ${answer.statusText}\n${[...answer.headers].map((h) => h.join(": ")).join("\n")}\n\n${shown}`;
    } catch (problem) { out.textContent = String(problem); }
  };
  return el("details", {}, el("summary", { textContent: "Try it" }), ...inputs.map(([, input]) => input), body, file, go, out);
}

function operation(path, method, op) {
  const box = el("article", { id: op.operationId });
  box.append(el("h3", {}, el("span", { className: `m ${method}`, textContent: method }), " ", el("span", { className: "path", textContent: path })));
  box.append(el("div", {}, el("b", { textContent: op.summary || op.operationId }), " ",
    el("span", { className: "lock", textContent: (op.security || []).length ? "token" : "no token" }), " ", el("code", { textContent: op.operationId })));
  if (op.description) box.append(about(op.description, "p"));
  if ((op.parameters || []).length) {
    box.append(el("h4", { textContent: "Parameters" }), el("table", {}, ...op.parameters.map((p) => el("tr", {},
      el("td", {}, el("code", { textContent: p.name }), p.required ? el("span", { className: "must", textContent: "*" }) : null),
      el("td", { textContent: p.in }), el("td", { className: "type", textContent: typeOf(p.schema || {}) }),
      el("td", {}, ...prose([p.description, limits(p.schema || {})].filter(Boolean).join(" — ")))))));
  }
  const [media, content] = contentOf(op.requestBody);
  if (media) box.append(el("h4", { textContent: `Body (${media})` }), tree(content.schema || {}));
  box.append(el("h4", { textContent: "Answers" }));
  for (const [status, answer] of Object.entries(op.responses || {})) {
    const [type, shown] = contentOf(answer);
    const refused = type === "application/problem+json";
    const first = (answer.description || "").split("\n")[0];
    const inner = (answer.description || "").includes("\n") ? [about(answer.description)] : [];
    if (shown.schema && !refused) inner.push(tree(shown.schema));
    const example = shown.examples && Object.values(shown.examples)[0];
    if (example) inner.push(el("pre", { textContent: JSON.stringify(example.value, null, 2) }));
    box.append(el("details", { open: !refused && status < 300 }, el("summary", {}, el("code", { textContent: status }), " ", ...prose(refused ? first.replace(/^- /, "") : first)), ...inner));
  }
  box.append(tryIt(path, method, op));
  return box;
}

function show() {
  document.title = doc.info.title;
  at("title").textContent = `${doc.info.title} ${doc.info.version}`;
  const main = el("div", {}, about(doc.info.description, "p"));
  const byTag = {};
  for (const [path, item] of Object.entries(doc.paths))
    for (const [method, op] of Object.entries(item))
      if (["get", "post", "put", "patch", "delete"].includes(method)) (byTag[(op.tags || ["other"])[0]] ||= []).push([path, method, op]);
  at("nav").replaceChildren();
  for (const [tag, found] of Object.entries(byTag).sort()) {
    const links = found.map(([path, method, op]) => el("a", { href: `#${op.operationId}`, title: path }, el("span", { className: `m ${method}`, textContent: method }), el("span", { textContent: op.summary || op.operationId })));
    at("nav").append(el("section", {}, el("h2", { textContent: tag }), ...links));
    main.append(el("h2", { textContent: tag }), ...found.map((one) => operation(...one)));
  }
  at("main").replaceChildren(main);
  if (location.hash) at(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

at("filter").oninput = () => {
  const wanted = at("filter").value.toLowerCase();
  for (const link of document.querySelectorAll("nav a")) {
    const hit = `${link.textContent} ${link.title}`.toLowerCase().includes(wanted);
    link.hidden = !hit;
    link.style.display = hit ? "" : "none";
    const box = at(decodeURIComponent(link.hash.slice(1)));
    if (box) box.hidden = !hit;
  }
};

fetch(document.body.dataset.document).then((r) => r.json()).then((found) => { doc = found; show(); },
  (problem) => { at("main").textContent = `The document could not be loaded: ${problem}`; });
