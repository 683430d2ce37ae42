//! Function declarations, hosted search, and which of them must be called.

use super::names::Names;
use super::{Plan, is_third_generation};
use crate::chat::parse::is_server_tool;
use crate::chat::request::{Request, Tool, ToolChoice};
use crate::gemini::schema;
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::Target;
use bytes::BytesMut;
use interline_domain::Parameter;
use serde_json::value::RawValue;

/// The server tool that Google has too.
const WEB_SEARCH: &str = "openrouter:web_search";

pub(super) fn write(
    request: &Request<'_>,
    target: &Target<'_>,
    plan: &Plan<'_>,
    names: &Names,
    object: &mut ObjectWriter<'_, BytesMut>,
) {
    let asks = request.field("web_search_options").is_some()
        || request.tools.iter().any(|tool| tool.name == WEB_SEARCH);
    let wants_search = asks
        && target.parameters.contains(Parameter::WebSearchOptions)
        && (!plan.has_tools || is_third_generation(target));
    if plan.has_tools || wants_search {
        object.array("tools", |tools| {
            if plan.has_tools {
                tools.object(|tool| {
                    tool.array("functionDeclarations", |functions| {
                        for tool in functions_of(request) {
                            write_function(tool, target, names, functions);
                        }
                    });
                });
            }
            if wants_search {
                tools.raw(r#"{"googleSearch":{}}"#);
            }
        });
    }
    if plan.has_tools {
        write_choice(request, target, names, object);
    }
}

/// Tools that the caller runs. Server tools that came this far are the provider's to run, or
/// nobody's.
pub(super) fn functions_of<'r, 'b>(request: &'r Request<'b>) -> impl Iterator<Item = &'r Tool<'b>> {
    let tools = request.tools.iter();
    tools.filter(|tool| !is_server_tool(&tool.name))
}

fn write_function(
    tool: &Tool<'_>,
    target: &Target<'_>,
    names: &Names,
    functions: &mut ArrayWriter<'_, BytesMut>,
) {
    functions.object(|function| {
        function.str("name", names.sent(&tool.name));
        if let Some(description) = tool.description.as_deref() {
            function.str("description", description);
        }
        let parameters = tool.parameters.map(RawValue::get);
        if target.quirks.json_schema_fields {
            let schema = schema::for_parameters(parameters.unwrap_or("{}"));
            function.raw("parametersJsonSchema", &schema);
        } else if let Some(schema) = parameters.and_then(schema::to_openapi_parameters) {
            function.raw("parameters", &schema);
        }
    });
}

fn write_choice(
    request: &Request<'_>,
    target: &Target<'_>,
    names: &Names,
    object: &mut ObjectWriter<'_, BytesMut>,
) {
    let choice = request
        .tool_choice
        .as_ref()
        .filter(|_| target.parameters.contains(Parameter::ToolChoice));
    let (mode, name) = match choice {
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::Named(name)) if !is_server_tool(name) => ("ANY", Some(name)),
        // Calls are then held to the declared schemas.
        _ if functions_of(request).any(|tool| tool.strict == Some(true)) => ("VALIDATED", None),
        _ => return,
    };
    object.object("toolConfig", |config| {
        config.object("functionCallingConfig", |calling| {
            calling.str("mode", mode);
            if let Some(name) = name {
                calling.array("allowedFunctionNames", |allowed| {
                    allowed.str(names.sent(name));
                });
            }
        });
    });
}
