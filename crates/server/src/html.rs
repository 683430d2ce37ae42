//! Just enough to write a page by hand.

use std::borrow::Cow;

/// Text as it may stand in HTML or XML, between tags or in a quoted attribute.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// Puts values, already HTML, where a template says `{{name}}`.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        filled.push_str(
            values
                .iter()
                .find(|(known, _)| *known == name)
                .map_or("", |(_, v)| v),
        );
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        for (text, expected) in [
            ("plain", "plain"),
            ("<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn templates_are_filled() {
        let values = [("a", "1"), ("b", "{{a}}")];
        for (template, expected) in [
            ("x", "x"),
            ("{{a}}-{{b}}", "1-{{a}}"),
            ("{{none}}.", "."),
            ("{{a", "{{a"),
        ] {
            assert_eq!(fill(template, &values), expected);
        }
    }
}
