//! `tools` and `tool_choice`: what the endpoint takes, and words where it does not.

use super::names::ToolNames;
use crate::chat::parse::is_server_tool;
use crate::chat::parse::value::{Path, Value};
use crate::chat::request::{Request, Tool, ToolChoice};
use crate::json::ObjectWriter;
use crate::target::Target;
use bytes::BufMut;
use interline_domain::Parameter;
use interline_domain::quirks::{ReasoningInput, StrictTools};
use serde_json::value::RawValue;

/// Which tools go, and how a choice is said.
pub(super) struct Tools<'r, 'a> {
    declared: &'r [Tool<'a>],
    drops_strict: bool,
    keeps_markers: bool,
    /// Nothing is sent.
    is_withheld: bool,
    /// Only this tool is sent.
    only: Option<&'r str>,
    choice: Choice<'r>,
}

enum Choice<'r> {
    /// Left out: the endpoint's own default, `auto`.
    Omit,
    Word(&'static str),
    Named(&'r str),
    /// As written: an object the dialect has and we have no other word for.
    Raw(&'r str),
}

const MUST_CALL: &str = "You must call one of the tools.";

impl<'r, 'a> Tools<'r, 'a> {
    pub(super) fn plan(
        request: &'r Request<'a>,
        target: &Target<'_>,
        thinks: bool,
        instructions: &mut Vec<String>,
    ) -> Self {
        let quirks = target.quirks;
        let mut plan = Self {
            declared: &request.tools,
            drops_strict: quirks.strict_tools == StrictTools::Drop,
            keeps_markers: super::declares(target, "cache_control"),
            is_withheld: !target.parameters.contains(Parameter::Tools)
                || !request.tools.iter().any(is_function),
            only: None,
            choice: Choice::Omit,
        };
        if plan.is_withheld {
            return plan;
        }
        // DeepSeek refuses forced calls while it thinks (API docs, "Thinking mode").
        let can_choose = target.parameters.contains(Parameter::ToolChoice);
        let can_force =
            can_choose && !(thinks && quirks.reasoning_input == ReasoningInput::ThinkingAndEffort);
        let can_require = can_force && quirks.tool_choice_required;
        match &request.tool_choice {
            Some(ToolChoice::Auto) if can_choose => plan.choice = Choice::Word("auto"),
            None | Some(ToolChoice::Auto) => {}
            Some(ToolChoice::None) if can_choose && quirks.tool_choice_none => {
                plan.choice = Choice::Word("none");
            }
            Some(ToolChoice::None) => plan.is_withheld = true,
            Some(ToolChoice::Required) if can_require => plan.choice = Choice::Word("required"),
            Some(ToolChoice::Required) => instructions.push(MUST_CALL.to_owned()),
            Some(ToolChoice::Named(name)) if is_server_tool(name) => {}
            Some(ToolChoice::Named(name)) if can_force && quirks.tool_choice_named => {
                plan.choice = Choice::Named(name);
            }
            Some(ToolChoice::Named(name)) => {
                let is_there = |tool: &Tool<'_>| is_function(tool) && tool.name == *name;
                plan.only = request.tools.iter().any(is_there).then_some(name.as_ref());
                if can_require {
                    plan.choice = Choice::Word("required");
                } else {
                    instructions.push(MUST_CALL.to_owned());
                }
            }
        }
        let raw = request.field("tool_choice").map(RawValue::get);
        if let (Choice::Word("auto" | "required"), Some(raw)) = (&plan.choice, raw)
            && raw.starts_with('{')
            && plan.only.is_none()
            && super::declares(target, "tool_choice")
        {
            plan.choice = Choice::Raw(raw); // `allowed_tools`
        }
        plan
    }

    pub(super) fn are_sent(&self) -> bool {
        !self.is_withheld
    }

    pub(super) fn write<B: BufMut>(
        &self,
        raw: &str,
        names: &ToolNames<'_>,
        object: &mut ObjectWriter<'_, B>,
    ) {
        if self.is_withheld {
            return;
        }
        let stays = |tool: &Tool<'_>| self.is_sent(tool) && !self.changes(tool, names);
        if self.declared.iter().all(stays) {
            object.raw("tools", raw);
            return;
        }
        object.array("tools", |array| {
            for tool in self.declared.iter().filter(|tool| self.is_sent(tool)) {
                if self.changes(tool, names) {
                    array.object(|object| self.write_tool(tool, names, object));
                } else {
                    array.raw(tool.raw.get());
                }
            }
        });
    }

    pub(super) fn write_choice<B: BufMut>(
        &self,
        names: &ToolNames<'_>,
        object: &mut ObjectWriter<'_, B>,
    ) {
        if self.is_withheld {
            return;
        }
        match self.choice {
            Choice::Omit => {}
            Choice::Word(word) => {
                object.str("tool_choice", word);
            }
            Choice::Raw(raw) => {
                object.raw("tool_choice", raw);
            }
            Choice::Named(name) => {
                object.object("tool_choice", |choice| {
                    choice
                        .str("type", "function")
                        .object("function", |function| {
                            function.str("name", names.get(name));
                        });
                });
            }
        }
    }

    fn is_sent(&self, tool: &Tool<'_>) -> bool {
        is_function(tool) && self.only.is_none_or(|only| tool.name == only)
    }

    fn changes(&self, tool: &Tool<'_>, names: &ToolNames<'_>) -> bool {
        (tool.cache_control.is_some() && !self.keeps_markers)
            || (tool.strict.is_some() && self.drops_strict)
            || names.maps(&tool.name)
    }

    fn write_tool<B: BufMut>(
        &self,
        tool: &Tool<'_>,
        names: &ToolNames<'_>,
        object: &mut ObjectWriter<'_, B>,
    ) {
        // The visits cannot fail: the tool was read before.
        let _ = Value::new(tool.raw.get(), &Path::Root).entries(|key, value| {
            match key {
                "cache_control" if !self.keeps_markers => {}
                "function" => {
                    object.object(key, |object| {
                        let _ = value.entries(|key, value| {
                            match key {
                                "strict" if self.drops_strict => {}
                                "name" => {
                                    object.str(key, names.get(&tool.name));
                                }
                                _ => {
                                    object.raw(key, value.text());
                                }
                            }
                            Ok(())
                        });
                    });
                }
                _ => {
                    object.raw(key, value.text());
                }
            }
            Ok(())
        });
    }
}

/// Not a server tool: those are run by the gateway, never by a provider of this dialect.
fn is_function(tool: &Tool<'_>) -> bool {
    !is_server_tool(&tool.name)
}
