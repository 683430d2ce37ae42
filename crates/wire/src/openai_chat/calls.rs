//! Which call a fragment of tool calls belongs to, and what of it is new.
//!
//! Providers leave indices out, send the same one for every call, repeat ids and names in each
//! fragment, or send arguments as an object or `null` (T7, T12, T45, T55). Out of here indices are
//! dense, ids and names come once, and arguments concatenate to JSON.

use super::chunk::{Members, has_content};
use crate::json::{Cursor, Malformed, string};
use interline_domain::Failure;
use std::borrow::Cow;

/// More calls in one choice than this is a provider gone wild.
const MAX_CALLS: usize = 1024;

/// One entry of `tool_calls`, as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragment<'a> {
    index: Option<u64>,
    id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    /// Raw JSON: a string, or an object where a provider does not know better.
    arguments: Option<&'a str>,
    /// `type`, where it is not `function`.
    pub kind: Option<&'a str>,
    /// Members of the entry, and of its `function`, that are not ours to read.
    pub extras: Members<'a>,
    pub function_extras: Members<'a>,
}

/// What a fragment adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step<'a> {
    /// Our index.
    pub call: u32,
    /// The call's id (`None`: the provider gives none) and name: it starts here.
    pub start: Option<(Option<String>, Cow<'a, str>)>,
    /// Text to append to the arguments.
    pub arguments: Option<Cow<'a, str>>,
}

/// Visits the entries of a `tool_calls` array.
pub(super) fn fragments<'a>(
    raw: &'a str,
    mut visit: impl FnMut(Fragment<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut result = Ok(());
    let read = Cursor::new(raw).array(|cursor| {
        let fragment = fragment(cursor, raw)?;
        if result.is_ok() {
            result = visit(fragment);
        }
        Ok(())
    });
    read.map_err(|Malformed| super::malformed())?;
    result
}

fn fragment<'a>(cursor: &mut Cursor<'a>, text: &'a str) -> Result<Fragment<'a>, Malformed> {
    let mut fragment = Fragment::default();
    let said = |value: &'a str| string(value).filter(|text| !text.is_empty());
    cursor.object(|cursor, key| {
        match key.name.as_ref() {
            "index" => fragment.index = cursor.value()?.parse().ok(),
            "id" => fragment.id = said(cursor.value()?),
            "type" => {
                let value = cursor.value()?;
                fragment.kind = (has_content(value) && value != "\"function\"").then_some(value);
            }
            "function" => {
                cursor.object(|cursor, key| {
                    let value = cursor.value()?;
                    match key.name.as_ref() {
                        "name" => fragment.name = said(value),
                        "arguments" => fragment.arguments = (value != "null").then_some(value),
                        _ => {
                            let member = text.get(key.start..cursor.position());
                            fragment.function_extras.push(member.ok_or(Malformed)?);
                        }
                    }
                    Ok(())
                })?;
            }
            _ => {
                cursor.value()?;
                let member = text.get(key.start..cursor.position());
                fragment.extras.push(member.ok_or(Malformed)?);
            }
        }
        Ok(())
    })?;
    Ok(fragment)
}

/// The calls of one choice.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    list: Vec<Call>,
    /// The calls that were shown to the client; `Call::shown` counts in them.
    started: u32,
    last: usize,
}

#[derive(Clone, Debug, Default)]
struct Call {
    /// The provider's index, where it gave one.
    index: Option<u64>,
    id: Option<String>,
    name: Option<String>,
    /// Our index, from the moment it started.
    shown: Option<u32>,
    arguments: Arguments,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes a fragment: finds its call and says what is new.
    pub(super) fn take<'a>(&mut self, fragment: &Fragment<'a>) -> Result<Step<'a>, Failure> {
        let position = match self.find(fragment) {
            Some(position) => position,
            None if self.list.len() >= MAX_CALLS => {
                return Err(Failure::unavailable(
                    "The provider sent too many tool calls",
                ));
            }
            None => {
                self.list.push(Call {
                    index: fragment.index,
                    ..Call::default()
                });
                self.list.len() - 1
            }
        };
        self.last = position;
        let Some(call) = self.list.get_mut(position) else {
            return Ok(Step::default());
        };
        let mut step = Step::default();
        if call.shown.is_none() {
            call.id = call.id.take().or(fragment.id.as_deref().map(str::to_owned));
            // A call is shown once its name is known, or once it is too late to wait for it.
            let has_arguments = fragment.arguments.is_some_and(has_content);
            if fragment.name.is_some() || has_arguments {
                call.name = Some(fragment.name.as_deref().unwrap_or_default().to_owned());
                call.shown = Some(self.started);
                self.started += 1;
                step.start = Some((call.id.clone(), fragment.name.clone().unwrap_or_default()));
            }
        } else if call.id.is_none() {
            call.id = fragment.id.as_deref().map(str::to_owned);
        }
        step.call = call.shown.unwrap_or(self.started);
        step.arguments = fragment
            .arguments
            .and_then(|raw| call.arguments.take(raw))
            .filter(|text| !text.is_empty());
        Ok(step)
    }

    /// The calls without arguments, at the end of the choice: each gets `{}` (T12).
    pub(super) fn without_arguments(&mut self) -> impl Iterator<Item = u32> {
        self.list.iter_mut().filter_map(|call| {
            let shown = call.shown?;
            call.arguments.close().then_some(shown)
        })
    }

    /// The position of the call a fragment continues.
    fn find(&self, fragment: &Fragment<'_>) -> Option<usize> {
        let same_id = |call: &Call| match (&call.id, &fragment.id) {
            (Some(known), Some(given)) => known.as_str() == given.as_ref(),
            _ => true,
        };
        // A name although the call has one, and its arguments are whole: the next call began.
        let begins_anew = |call: &Call| {
            fragment.name.is_some()
                && call.name.is_some()
                && call.arguments.is_whole()
                && (fragment.id.is_none() || call.id.is_none())
        };
        let fits = |call: &Call| same_id(call) && !begins_anew(call);
        if fragment.index.is_some() {
            let position = self
                .list
                .iter()
                .rposition(|call| call.index == fragment.index)?;
            return self
                .list
                .get(position)
                .filter(|call| fits(call))
                .map(|_| position);
        }
        if fragment.id.is_some()
            && let Some(position) = self
                .list
                .iter()
                .rposition(|call| call.id.as_deref() == fragment.id.as_deref())
        {
            return Some(position);
        }
        let call = self.list.get(self.last)?;
        let has_other_name = matches!((&call.name, &fragment.name),
            (Some(known), Some(given)) if known.as_str() != given.as_ref());
        (fits(call) && fragment.id.is_none() && !has_other_name).then_some(self.last)
    }
}

/// How far the arguments of a call have come: enough to know whether they are whole, not what
/// they say.
#[derive(Clone, Debug, Default)]
struct Arguments {
    depth: u32,
    in_string: bool,
    after_backslash: bool,
    /// Something other than blanks came.
    has_begun: bool,
    /// So many letters of `null` were held back.
    null_letters: u8,
}

impl Arguments {
    /// Text to append, from the raw value of a fragment.
    fn take<'a>(&mut self, raw: &'a str) -> Option<Cow<'a, str>> {
        // An object (or anything else that is no string) is the arguments as a whole.
        let text = string(raw).unwrap_or_else(|| Cow::Owned(compact(raw)));
        if self.has_begun {
            self.follow(&text);
            return Some(text);
        }
        let held = usize::from(self.null_letters);
        let trimmed = text.trim_start();
        if held == 0 && trimmed.is_empty() {
            return Some(text);
        }
        let expected = "null".get(held..).unwrap_or_default();
        let is_null = expected.starts_with(trimmed)
            || trimmed
                .strip_prefix(expected)
                .is_some_and(|rest| rest.trim().is_empty());
        if is_null && (held > 0 || !trimmed.is_empty()) {
            let letters = trimmed.trim_end().len().min(expected.len());
            self.null_letters = self
                .null_letters
                .saturating_add(u8::try_from(letters).unwrap_or(4));
            return None;
        }
        self.has_begun = true;
        let text = match "null".get(..held) {
            Some(before) if held > 0 => Cow::Owned(format!("{before}{text}")),
            _ => text,
        };
        self.follow(&text);
        Some(text)
    }

    /// The choice ended. `true`: nothing came, so `{}` must be written.
    fn close(&mut self) -> bool {
        !std::mem::replace(&mut self.has_begun, true)
    }

    /// An object (or array) began and ended.
    fn is_whole(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.in_string
    }

    fn follow(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.in_string {
                let is_escaped = std::mem::take(&mut self.after_backslash);
                match byte {
                    b'\\' => self.after_backslash = !is_escaped,
                    b'"' if !is_escaped => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// JSON without the blanks between its tokens; numbers, strings and order stay as written (T44).
fn compact(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let (mut in_string, mut after_backslash) = (false, false);
    for character in raw.chars() {
        if in_string {
            let is_escaped = std::mem::take(&mut after_backslash);
            match character {
                '\\' => after_backslash = !is_escaped,
                '"' if !is_escaped => in_string = false,
                _ => {}
            }
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the `tool_calls` of chunks; each call as `index:id:name:arguments`.
    fn check(chunks: &[&str], expected: &[&str]) {
        let mut calls = Calls::default();
        let mut seen: Vec<(u32, String, String, String)> = Vec::new();
        for chunk in chunks {
            fragments(chunk, |fragment| {
                let step = calls.take(&fragment)?;
                if let Some((id, name)) = step.start {
                    assert_eq!(step.call as usize, seen.len(), "dense");
                    let id = id.unwrap_or_else(|| "-".to_owned());
                    seen.push((step.call, id, name.into_owned(), String::new()));
                }
                if let Some(text) = step.arguments {
                    seen[step.call as usize].3.push_str(&text);
                }
                Ok(())
            })
            .expect("well formed");
        }
        for call in calls.without_arguments() {
            seen[call as usize].3.push_str("{}");
        }
        let seen: Vec<String> = seen
            .iter()
            .map(|(index, id, name, arguments)| format!("{index}:{id}:{name}:{arguments}"))
            .collect();
        assert_eq!(seen, expected, "{chunks:?}");
    }

    #[test]
    fn t7_fragments_find_their_call() {
        // Interleaved, by index, not from 0, ids and names repeated.
        check(
            &[
                r#"[{"index":3,"id":"a","function":{"name":"f","arguments":""}},{"index":5,"id":"b","function":{"name":"g"}}]"#,
                r#"[{"index":3,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]"#,
                r#"[{"index":5,"function":{"arguments":"{"}},{"index":3,"function":{"arguments":"1}"}}]"#,
                r#"[{"index":5,"function":{"arguments":"}"}}]"#,
            ],
            &[r#"0:a:f:{"x":1}"#, "1:b:g:{}"],
        );
        // The same index for all.
        check(
            &[
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]"#,
                r#"[{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}]"#,
            ],
            &["0:a:f:{}", "1:b:f:{}"],
        );
        // The same index and no ids: a name after whole arguments.
        check(
            &[
                r#"[{"index":0,"function":{"name":"f","arguments":"{\"q\":\"}\\\"\"}"}}]"#,
                r#"[{"index":0,"function":{"name":"f","arguments":"{}"}}]"#,
            ],
            &[r#"0:-:f:{"q":"}\""}"#, "1:-:f:{}"],
        );
        // No index at all.
        check(
            &[
                r#"[{"id":"a","function":{"name":"f","arguments":""}},{"id":"b","function":{"name":"g","arguments":"{"}}]"#,
                r#"[{"function":{"arguments":"}"}},{"id":"a","function":{"arguments":"{}"}}]"#,
            ],
            &["0:a:f:{}", "1:b:g:{}"],
        );
        check(
            &[r#"[{"function":{"name":"f"}},{"function":{"name":"g"}}]"#],
            &["0:-:f:{}", "1:-:g:{}"],
        );
    }

    #[test]
    fn t12_t45_arguments_become_json_text() {
        let one = |arguments: &str, expected: &str| {
            let chunk =
                format!(r#"[{{"id":"a","function":{{"name":"f","arguments":{arguments}}}}}]"#);
            check(&[&chunk], &[&format!("0:a:f:{expected}")]);
        };
        one(r#""""#, "{}");
        one("null", "{}");
        one(r#""null""#, "{}");
        one(r#""  ""#, "  {}");
        one(r#"{ "a" : [1.0, "b c"] }"#, r#"{"a":[1.0,"b c"]}"#);
        one(
            r#""{\"n\":12345678901234567890}""#,
            r#"{"n":12345678901234567890}"#,
        );
        check(
            &[
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"nu"}}]"#,
                r#"[{"index":0,"function":{"arguments":"ll"}}]"#,
            ],
            &["0:a:f:{}"],
        );
    }

    #[test]
    fn t55_empty_strings_change_nothing() {
        check(
            &[
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]"#,
                r#"[{"index":0,"id":"","function":{"name":"","arguments":"{}"}}]"#,
            ],
            &["0:a:f:{}"],
        );
        // The id first, the name later.
        check(
            &[
                r#"[{"index":0,"id":"a"}]"#,
                r#"[{"index":0,"function":{"name":"f","arguments":"{}"}}]"#,
            ],
            &["0:a:f:{}"],
        );
    }
}
