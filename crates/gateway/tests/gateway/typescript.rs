//! Writes the page's types from the same description as `docs/openapi.json`: never by hand.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::Value;

/// Translates the description's schemas into TypeScript, a type for each. Types cost the page no byte.
pub(crate) fn types(openapi: &str) -> String {
    let head = "import type { File } from './files';\nimport type { PortMapping, Rendezvous } from './paths';\n\nexport type * from './files';\nexport type * from './paths';\nexport type * from './recovery';\nexport type * from './streams';\n\n";
    some_types(openapi, head, |name| {
        ![is_of_files, is_of_paths, is_of_recovery, is_of_streams].iter().any(|is_of| is_of(name))
    })
}

/// Translates those about recovery sheets.
pub(crate) fn recovery_types(openapi: &str) -> String {
    some_types(openapi, "import type { Circle, Found } from './generated';\n\n", is_of_recovery)
}

/// Translates those about files, which stand beside the others: neither list is too long to read.
pub(crate) fn file_types(openapi: &str) -> String {
    some_types(openapi, "import type { ApiError } from './generated';\n\n", is_of_files)
}

fn is_of_recovery(name: &str) -> bool {
    name.contains("Sheet") || name.contains("Recover")
}

/// Translates those about data streams, which stand apart for the same reason.
pub(crate) fn stream_types(openapi: &str) -> String {
    some_types(openapi, "import type { Role } from './generated';\n\n", is_of_streams)
}

/// Translates those about how devices are reached.
pub(crate) fn path_types(openapi: &str) -> String {
    some_types(openapi, "import type { Device } from './generated';\n\n", is_of_paths)
}

fn is_of_paths(name: &str) -> bool {
    ["Contact", "Forwarded", "ForwardingFailure", "OpenPath", "Path", "PortMapping", "Reach", "Rendezvous"]
        .contains(&name)
        || name.contains("Tunnel")
}

fn is_of_streams(name: &str) -> bool {
    name.contains("Stream") || name.contains("Flow") || name == "Granted"
}

fn is_of_files(name: &str) -> bool {
    name.contains("File")
}

fn some_types(openapi: &str, head: &str, wanted: fn(&str) -> bool) -> String {
    let description: Value = serde_json::from_str(openapi).unwrap();
    let mut out = format!("{HEAD}{head}");
    for (name, schema) in entries(&description["components"]["schemas"]).filter(|(name, _)| wanted(name)) {
        comment(&mut out, "", schema);
        writeln!(out, "export type {name} = {};\n", of(schema, "")).unwrap();
    }
    out
}

/// Translates the description's paths into TypeScript: a table of all calls.
pub(crate) fn calls(openapi: &str) -> String {
    let description: Value = serde_json::from_str(openapi).unwrap();
    let table = table(&description);
    let words: BTreeSet<_> = table.split(|c: char| !c.is_alphanumeric()).collect();
    let named = entries(&description["components"]["schemas"]).map(|(name, _)| name);
    let named: Vec<_> = named.filter(|name| words.contains(name)).collect();
    format!("{HEAD}import type {{ {} }} from './generated';\n\n{table}", named.join(", "))
}

fn table(description: &Value) -> String {
    let mut out = String::from(
        "/** All calls: what stands in the address, behind the question mark, in the body, and what comes back. */\n",
    );
    out.push_str("export interface Calls {\n");
    for (path, methods) in entries(&description["paths"]) {
        for (method, call) in entries(methods) {
            comment(&mut out, "  ", &serde_json::json!({ "description": call["summary"] }));
            let body = &call["requestBody"]["content"]["application/json"]["schema"];
            writeln!(
                out,
                "  '{} {path}': {{ path: {}; query: {}; body: {}; answer: {} }};",
                method.to_uppercase(),
                parameters(call, "path"),
                parameters(call, "query"),
                if body.is_null() { "undefined".into() } else { of(body, "  ") },
                answer(call),
            )
            .unwrap();
        }
    }
    out.push_str("}\n");
    out
}

fn answer(call: &Value) -> String {
    let content = &call["responses"]["200"]["content"];
    let schema = entries(content).next().map(|(_, content)| &content["schema"]);
    schema.map_or_else(|| "undefined".into(), |schema| of(schema, "  "))
}

fn parameters(call: &Value, place: &str) -> String {
    let all = call["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fields: Vec<_> = all
        .iter()
        .filter(|parameter| parameter["in"] == place)
        .map(|parameter| {
            let sign = if parameter["required"] == true { "" } else { "?" };
            format!("{}{sign}: {}", parameter["name"].as_str().unwrap(), of(&parameter["schema"], "  "))
        })
        .collect();
    if fields.is_empty() { "unknown".into() } else { format!("{{ {} }}", fields.join("; ")) }
}

/// Writes a schema as a type.
fn of(schema: &Value, indent: &str) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap().to_owned();
    }
    if let Some(values) = schema["enum"].as_array() {
        return union(values.iter().map(|value| format!("'{}'", value.as_str().unwrap())));
    }
    for kind in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[kind].as_array() {
            return union(choices.iter().map(|choice| of(choice, indent)));
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().map(|part| of(part, indent)).collect::<Vec<_>>().join(" & ");
    }
    match &schema["type"] {
        Value::Array(types) => union(types.iter().map(|kind| {
            let mut one = schema.clone();
            one["type"] = kind.clone();
            of(&one, indent)
        })),
        Value::String(kind) => match kind.as_str() {
            "string" => "string".into(),
            "integer" | "number" => "number".into(),
            "boolean" => "boolean".into(),
            "null" => "null".into(),
            "array" => format!("Array<{}>", of(&schema["items"], indent)),
            "object" if schema["properties"].is_object() => object(schema, indent),
            "object" => "Record<string, unknown>".into(),
            kind => panic!("a kind of schema that has no translation: {kind}"),
        },
        _ => "unknown".into(),
    }
}

fn object(schema: &Value, indent: &str) -> String {
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let inner = format!("{indent}  ");
    let mut out = String::from("{\n");
    for (name, field) in entries(&schema["properties"]) {
        comment(&mut out, &inner, field);
        let sign = if required.contains(&name) { "" } else { "?" };
        writeln!(out, "{inner}{name}{sign}: {};", of(field, &inner)).unwrap();
    }
    out + indent + "}"
}

fn union(choices: impl Iterator<Item = String>) -> String {
    choices.collect::<Vec<_>>().join(" | ")
}

fn comment(out: &mut String, indent: &str, of: &Value) {
    let Some(text) = of["description"].as_str() else { return };
    let line = text.lines().next().unwrap_or_default();
    writeln!(out, "{indent}/** {} */", line.replace("*/", "* /")).unwrap();
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

const HEAD: &str = "// Written from docs/openapi.json by a test of the gateway; see crates/gateway/tests/gateway/openapi.rs.\n\n";
