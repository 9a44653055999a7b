//! The OpenAPI document: it is complete, its examples hold, and every reply that the tests of the management API see is one of those
//! that it names.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::actors::{App, Reply};
use crate::{Backend, tests};

tests![
    the_document_names_every_path_and_method,
    every_operation_names_all_its_errors,
    every_schema_has_an_example_that_fits,
    a_reply_that_the_document_does_not_name_is_noticed,
    the_pages_come_from_the_program_alone,
];

/// The document, which is the same on every server.
fn document(app: &App) -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| app.get("/v1/openapi.json").body)
}

/// One operation of the document.
pub struct Operation {
    pub method: String,
    /// With its blanks filled.
    pub path: String,
    /// What it needs.
    pub scope: String,
    pattern: &'static str,
    described: &'static Value,
}

/// All of them.
pub fn operations(app: &App) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (pattern, methods) in document(app)["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            let scope = described["security"][0]["management"][0].as_str();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: filled(pattern),
                scope: scope.unwrap_or_else(|| panic!("{method} {pattern}")).to_owned(),
                pattern,
                described,
            });
        }
    }
    assert!(operations.len() > 35);
    operations
}

fn filled(pattern: &str) -> String {
    let id = "01a0aaaa-0000-7000-8000-000000000001";
    pattern.replace("{name}", "somebody").replace("{user}", "somebody").replace("{id}", id)
}

/// Whether a path is one of a pattern's.
fn is_of(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern.iter().zip(path).all(|(wanted, part)| wanted.starts_with('{') || *wanted == part)
}

/// Panics where the document does not name a reply: its status, its `code`, its members.
#[track_caller]
pub fn check(app: &App, method: &str, path: &str, reply: &Reply) {
    if let Err(why) = named(document(app), method, path, reply) {
        panic!("{method} {path}: {why}: {reply:?}");
    }
}

fn named(document: &Value, method: &str, path: &str, reply: &Reply) -> Result<(), String> {
    let path = path.split('?').next().unwrap_or_default();
    let patterns = document["paths"].as_object().ok_or("no paths")?;
    // `/v1/grants/take` is meant before `/v1/grants/{id}`.
    let of = patterns
        .iter()
        .filter(|(pattern, _)| is_of(pattern, path))
        .min_by_key(|(it, _)| it.matches('{').count());
    let operation = of.and_then(|(_, methods)| methods.get(method.to_lowercase()));
    let operation = operation.ok_or("no such operation")?;
    let response = operation["responses"].get(reply.status.to_string()).ok_or("the status is not named")?;
    if reply.body.is_null() {
        return if response.get("content").is_none() { Ok(()) } else { Err("a body is promised".to_owned()) };
    }
    let kind = reply.header("content-type").unwrap_or_default();
    let schema = &response["content"][kind]["schema"];
    fits(document, schema, &reply.body)?;
    match reply.body["code"].as_str().filter(|_| reply.status >= 400) {
        Some(code)
            if !response["description"].as_str().unwrap_or_default().contains(&format!("`{code}`")) =>
        {
            Err(format!("the code {code} is not named"))
        }
        _ => Ok(()),
    }
}

/// The part of JSON Schema that the document uses. A member that the schema does not name fits no object.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.trim_start_matches('#');
        return fits(document, document.pointer(pointer).ok_or(format!("{name} is nowhere"))?, value);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().any(|choice| fits(document, choice, value).is_ok());
        return if fitting { Ok(()) } else { Err(format!("{value} fits none of {schema}")) };
    }
    let (mut members, mut required) = (Map::new(), Vec::new());
    collect(document, schema, &mut members, &mut required);
    if !members.is_empty() {
        let object = value.as_object().ok_or(format!("{value} is no object"))?;
        if let Some(missing) = required.iter().find(|name| !object.contains_key(*name)) {
            return Err(format!("{missing} is missing"));
        }
        for (name, value) in object {
            let member = members.get(name).ok_or(format!("{name} is not named"))?;
            fits(document, member, value).map_err(|why| format!("{name}: {why}"))?;
        }
        return Ok(());
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Err(format!("{schema} says nothing")),
    };
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&own) {
        return Err(format!("{value} is none of {types:?}"));
    }
    value.as_array().into_iter().flatten().try_for_each(|item| fits(document, &schema["items"], item))
}

/// The members of an object's schema and of those that it is made of.
fn collect(document: &Value, schema: &Value, members: &mut Map<String, Value>, required: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        return collect(
            document,
            &document.pointer(name.trim_start_matches('#')).unwrap().clone(),
            members,
            required,
        );
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(document, part, members, required);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        members.insert(name.clone(), member.clone());
    }
    required.extend(
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned),
    );
}

fn the_document_names_every_path_and_method(on: Backend) {
    let app = App::start(on);
    assert!(document(&app)["openapi"].as_str().unwrap().starts_with("3.1"));
    for (pattern, methods) in document(&app)["paths"].as_object().unwrap() {
        // What it names is there, and nothing else is taken: a method that the document forgot would be.
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
            let named = methods.get(method.to_lowercase()).is_some();
            let reply = app.call(method, &filled(pattern), &[], &json!({}));
            if named {
                reply.must_be_problem(401, "invalid_token");
            } else {
                reply.must_be_problem(405, "method_not_allowed");
                assert!(reply.header("allow").is_some());
            }
        }
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                // OpenAPI 3.1 s4.8.17 wants one.
                let description = response["description"].as_str().unwrap_or_default();
                assert!(!description.is_empty(), "{method} {pattern} {status}");
            }
        }
        // HEAD is GET without the body.
        let status = if methods.get("get").is_some() { 401 } else { 405 };
        assert_eq!(app.head(&filled(pattern)).status, status, "{pattern}");
    }
}

fn every_operation_names_all_its_errors(on: Backend) {
    let app = App::start(on);
    for Operation { method, pattern, described, .. } in operations(&app) {
        let of = format!("{method} {pattern}");
        let mut expected = vec!["401", "403", "500", "503"];
        if described.get("requestBody").is_some() {
            expected.extend(["400", "408", "413"]);
        }
        if described["parameters"].as_array().into_iter().flatten().any(|one| one["in"] == "query") {
            expected.push("400");
        }
        // What is put by its name need not be there.
        if pattern.contains('{') && (method != "PUT" || pattern.contains("/members/")) {
            expected.push("404");
        }
        for status in expected {
            let response = &described["responses"][status];
            assert!(response["description"].as_str().is_some_and(|text| text.contains('`')), "{of} {status}");
            assert!(response["content"]["application/problem+json"]["schema"].is_object(), "{of} {status}");
        }
        assert!(described["description"].is_string() || described["summary"].is_string(), "{of}");
    }
}

fn every_schema_has_an_example_that_fits(on: Backend) {
    let app = App::start(on);
    let document = document(&app);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        // A page is made of its items.
        if name.starts_with("Page") {
            continue;
        }
        let example = schema.get("example").unwrap_or_else(|| panic!("{name}: {schema}"));
        fits(document, schema, example).unwrap_or_else(|why| panic!("{name}: {why}"));
        for (member, described) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                described["description"].is_string() || described.get("$ref").is_some(),
                "{name} {member}"
            );
        }
    }
}

fn a_reply_that_the_document_does_not_name_is_noticed(on: Backend) {
    let app = App::start(on);
    let reply = |status, kind: &str, body| Reply {
        status,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body,
    };
    let problem = |status: u16, code: &str| {
        let body =
            json!({ "type": "about:blank", "title": "x", "status": status, "detail": "x", "code": code });
        reply(status, "application/problem+json", body)
    };
    let key = json!({ "items": [], "next": null });
    let listed =
        |body| named(document(&app), "GET", "/v1/keys?limit=1", &reply(200, "application/json", body));
    listed(key).unwrap();
    listed(json!({ "items": [] })).unwrap_err();
    listed(json!({ "items": [], "next": null, "total": 0 })).unwrap_err();
    listed(json!({ "items": [{ "kid": 7 }], "next": null })).unwrap_err();
    let refused = |status, code| named(document(&app), "GET", "/v1/keys", &problem(status, code));
    refused(401, "invalid_token").unwrap();
    refused(401, "nonsense").unwrap_err();
    refused(418, "invalid_token").unwrap_err();
}

fn the_pages_come_from_the_program_alone(on: Backend) {
    let app = App::start(on);
    let (kind, policy, text) = app.page("/v1/docs/index.html");
    assert_eq!(kind, "text/html", "{text}");
    assert!(policy.contains("script-src 'self';") && !policy.contains("http"), "{policy}");
    assert!(!text.contains("http://") && !text.contains("https://"), "nothing from elsewhere: {text}");
}
