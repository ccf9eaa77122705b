// The OpenAPI description as a page: each operation with its parameters, its answers, and their shape.
const api = await (await fetch("/openapi.json")).json();
const place = document.getElementById("operations");

function add(parent, kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  parent.append(made);
  return made;
}

function shape(schema, depth = 0) {
  if (!schema) { return ""; }
  if (schema.$ref) { return shape(api.components.schemas[schema.$ref.split("/").pop()], depth); }
  if (schema.anyOf) { return schema.anyOf.map((s) => shape(s, depth)).join(" or "); }
  if (schema.enum) { return schema.enum.join(" | "); }
  if (schema.type === "array") { return `list of ${shape(schema.items, depth)}`; }
  if (schema.properties) {
    const space = "  ".repeat(depth + 1);
    const lines = Object.entries(schema.properties).map(([name, s]) => `${space}${name}: ${shape(s, depth + 1)}${s.description ? `  (${s.description})` : ""}`);
    return `\n${lines.join("\n")}`;
  }
  return schema.format === "binary" ? "a file" : (schema.format || schema.type || "anything");
}

for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, one] of Object.entries(methods)) {
    const section = add(place, "section", "");
    add(section, "h2", `${method.toUpperCase()} ${path}`);
    add(section, "p", one.description || one.summary || "");
    const asked = (one.parameters || []).map((p) => `${p.name} (${p.in}): ${shape(p.schema)}`);
    const body = one.requestBody && Object.entries(one.requestBody.content).map(([kind, c]) => `${kind}: ${shape(c.schema)}`);
    if (asked.length || body) { add(section, "pre", [...asked, ...(body || [])].join("\n")); }
    const answers = Object.entries(one.responses).map(([status, r]) => {
      const content = Object.entries(r.content || {}).map(([kind, c]) => `${kind} ${status < "300" ? shape(c.schema) : ""}`).join("");
      return `${status}  ${r.description}${content ? `\n     ${content}` : ""}`;
    });
    add(section, "pre", answers.join("\n"));
  }
}
