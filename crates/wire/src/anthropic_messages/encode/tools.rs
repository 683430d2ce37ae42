//! Tools and the choice among them.

use super::names::ToolNames;
use super::output::OutputForm;
use super::turns::Conversation;
use crate::chat::request::{Request, Tool, ToolChoice};
use crate::json::{ObjectWriter, split_object};
use crate::target::Target;
use interline_domain::Parameter;
use serde_json::value::RawValue;
use std::borrow::Cow;

const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;
const MUST_CALL: &str = "You must call one of the tools.";
const JSON_TOOL_DESCRIPTION: &str = "Gives the final answer in the form that is asked for.";

#[derive(Debug, Default)]
pub(super) struct Toolbox<'r> {
    pub(super) tools: Vec<Definition<'r>>,
    choice: Option<Choice<'r>>,
    is_parallel_off: bool,
    /// Said in the system text instead of a choice the model does not take.
    pub(super) instruction: Option<Cow<'static, str>>,
}

#[derive(Debug)]
pub(super) struct Definition<'r> {
    name: Cow<'r, str>,
    description: Option<&'r str>,
    schema: Cow<'r, str>,
    pub(super) cache: Option<&'r RawValue>,
}

#[derive(Debug)]
enum Choice<'r> {
    None,
    Auto,
    Any,
    Named(Cow<'r, str>),
}

pub(super) fn plan<'r>(
    request: &'r Request<'_>,
    target: &Target<'_>,
    conversation: &Conversation<'r>,
    names: &mut ToolNames,
    form: &OutputForm<'r>,
    is_thinking: bool,
) -> Toolbox<'r> {
    let mut toolbox = Toolbox {
        is_parallel_off: request.parallel_tool_calls == Some(false),
        ..Toolbox::default()
    };
    if target.parameters.contains(Parameter::Tools) {
        toolbox.add_own(request, target, names);
    }
    toolbox.add_json(request, target, form, is_thinking);
    if toolbox.tools.is_empty() {
        toolbox.add_remembered(conversation);
    }
    toolbox
}

impl<'r> Toolbox<'r> {
    fn add_own(&mut self, request: &'r Request<'_>, target: &Target<'_>, names: &mut ToolNames) {
        for tool in &request.tools {
            let name = names.sent(&tool.name);
            self.tools.push(Definition::new(tool, name));
        }
        if self.tools.is_empty() {
            return;
        }
        let can_force = target.quirks.forced_tools;
        match &request.tool_choice {
            None => {}
            Some(ToolChoice::None) => self.choice = Some(Choice::None),
            Some(ToolChoice::Auto) => self.choice = Some(Choice::Auto),
            Some(ToolChoice::Required) if can_force => self.choice = Some(Choice::Any),
            Some(ToolChoice::Named(name)) if can_force => {
                self.choice = Some(Choice::Named(names.sent(name)));
            }
            Some(ToolChoice::Required) => self.must_call(),
            Some(ToolChoice::Named(name)) => {
                let name = names.sent(name);
                self.tools.retain(|tool| tool.name == name);
                self.must_call();
            }
        }
    }

    fn must_call(&mut self) {
        self.choice = Some(Choice::Auto);
        self.instruction = Some(Cow::Borrowed(MUST_CALL));
    }

    /// The tool that stands for a JSON answer. It is forced where it can be: not with thinking,
    /// where the force is ours and the thinking the caller's (T27).
    fn add_json(
        &mut self,
        request: &Request<'_>,
        target: &Target<'_>,
        form: &OutputForm<'r>,
        is_thinking: bool,
    ) {
        let OutputForm::Tool { name, schema } = form else {
            return;
        };
        let has_others = !self.tools.is_empty() && request.tool_choice != Some(ToolChoice::None);
        self.tools.push(Definition {
            name: Cow::Owned(name.clone()),
            description: Some(JSON_TOOL_DESCRIPTION),
            schema: schema.clone(),
            cache: None,
        });
        if is_thinking || !target.quirks.forced_tools {
            self.choice = Some(Choice::Auto);
            self.instruction = Some(Cow::Owned(format!(
                "Give your final answer by calling the tool `{name}`, and write no text beside it."
            )));
        } else if has_others {
            self.choice = Some(Choice::Any);
        } else {
            self.choice = Some(Choice::Named(Cow::Owned(name.clone())));
            self.is_parallel_off = true;
        }
    }

    /// A history with calls needs definitions, also when this request brings no tools.
    fn add_remembered(&mut self, conversation: &Conversation<'r>) {
        for name in conversation.called_tools() {
            if self.tools.iter().all(|tool| tool.name != *name) {
                self.tools.push(Definition {
                    name: name.clone(),
                    description: None,
                    schema: Cow::Borrowed(EMPTY_SCHEMA),
                    cache: None,
                });
            }
        }
        if !self.tools.is_empty() {
            self.choice = Some(Choice::None);
        }
    }

    pub(super) fn write(&self, body: &mut ObjectWriter<'_, Vec<u8>>, is_stream: bool) {
        if self.tools.is_empty() {
            return;
        }
        self.write_choice(body);
        body.array("tools", |list| {
            for tool in &self.tools {
                list.object(|object| tool.write(object, is_stream));
            }
        });
    }

    fn write_choice(&self, body: &mut ObjectWriter<'_, Vec<u8>>) {
        let (kind, name) = match &self.choice {
            None if self.is_parallel_off => ("auto", None),
            None => return,
            Some(Choice::None) => ("none", None),
            Some(Choice::Auto) => ("auto", None),
            Some(Choice::Any) => ("any", None),
            Some(Choice::Named(name)) => ("tool", Some(name)),
        };
        body.object("tool_choice", |choice| {
            choice.str("type", kind);
            if let Some(name) = name {
                choice.str("name", name);
            }
            if self.is_parallel_off && kind != "none" {
                choice.bool("disable_parallel_tool_use", true);
            }
        });
    }
}

impl<'r> Definition<'r> {
    fn new(tool: &'r Tool<'_>, name: Cow<'r, str>) -> Self {
        Self {
            name,
            description: tool.description.as_deref().filter(|text| !text.is_empty()),
            schema: object_schema(tool.parameters),
            cache: tool.cache_control,
        }
    }

    /// `strict` stays out: it needs a beta that only callers who ask for it by name get.
    fn write(&self, tool: &mut ObjectWriter<'_, Vec<u8>>, is_stream: bool) {
        tool.str("name", &self.name);
        if let Some(description) = self.description {
            tool.str("description", description);
        }
        tool.raw("input_schema", &self.schema);
        if is_stream {
            // Without it, arguments come in one piece at the end.
            tool.bool("eager_input_streaming", true);
        }
        if let Some(marker) = self.cache {
            tool.raw("cache_control", marker.get());
        }
    }
}

/// The schema as written; its `type`, which must be `object`, is added where it is missing.
pub(super) fn object_schema(schema: Option<&RawValue>) -> Cow<'_, str> {
    let Some(schema) = schema.map(RawValue::get) else {
        return Cow::Borrowed(EMPTY_SCHEMA);
    };
    match split_object(schema.as_bytes()) {
        Ok(members) if members.is_empty() => Cow::Borrowed(EMPTY_SCHEMA),
        Ok(members) if members.iter().any(|(key, _)| key == "type") => Cow::Borrowed(schema),
        Ok(_) => {
            let rest = schema
                .trim_ascii_start()
                .strip_prefix('{')
                .unwrap_or_default();
            Cow::Owned(format!(r#"{{"type":"object",{rest}"#))
        }
        Err(_) => Cow::Borrowed(EMPTY_SCHEMA),
    }
}

#[cfg(test)]
mod tests;
