//! The API reference as a page.

use crate::html::{escape, fill};
use crate::openapi::{Shape, path_names, plain_name, plain_text, refusal_text, shapes};
use crate::routes::{Access, Answer, BASES, Mount, Route};
use std::fmt::Write as _;

const TEMPLATE: &str = include_str!("../../../assets/reference.html");

/// Writes the page. Writing to a `String` cannot fail, so results of `write!` are dropped.
pub(super) fn write(table: &[Route]) -> String {
    let tags = ["Chat", "Models", "Account", "Server"];
    let (mut contents, mut operations) = (String::new(), String::new());
    for tag in tags {
        let id = tag.to_lowercase();
        let _ = write!(contents, "<p><a href=\"#{id}\">{tag}</a></p><ul>");
        let _ = write!(
            operations,
            "<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{tag}</h2>"
        );
        for route in table.iter().filter(|route| route.tag == tag) {
            let _ = write!(
                contents,
                "<li><a href=\"#{}\"><span class=\"verb\">{}</span> {}</a></li>",
                route.id,
                route.verb.as_str(),
                breakable(route.path),
            );
            operation(&mut operations, route);
        }
        contents.push_str("</ul>");
        operations.push_str("</section>");
    }
    contents.push_str("<p><a href=\"#shapes\">Shapes</a></p>");
    let mut described = String::new();
    for known in shapes::ALL {
        shape(&mut described, known);
    }
    fill(
        TEMPLATE,
        &[
            ("contents", &contents),
            ("operations", &operations),
            ("shapes", &described),
            ("version", env!("CARGO_PKG_VERSION")),
        ],
    )
}

fn operation(text: &mut String, route: &Route) {
    let base = if route.mount == Mount::Root {
        ""
    } else {
        BASES[0]
    };
    let _ = write!(
        text,
        "<article class=\"operation\"><h3 id=\"{id}\">{summary}</h3>\
         <p class=\"address\"><span class=\"verb {verb}\">{verb}</span> <code>{path}</code></p>\
         <p class=\"access {open}\">{access}</p>",
        id = route.id,
        summary = escape(route.summary),
        verb = route.verb.as_str(),
        path = breakable(&format!("{base}{}", route.path)),
        open = if route.access == Access::Public {
            "open"
        } else {
            ""
        },
        access = route.access.describe(),
    );
    if !route.about.is_empty() {
        let _ = write!(text, "<p>{}</p>", prose(route.about));
    }
    let mut rows = String::new();
    for name in path_names(route.path) {
        let _ = write!(
            rows,
            "<tr><th scope=\"row\"><code>{name}</code></th><td>string</td><td>In the path.</td></tr>"
        );
    }
    for (name, kind, about) in route.query {
        row(&mut rows, name, kind, about);
    }
    if !rows.is_empty() {
        table(text, "Parameters", &rows);
    }
    text.push_str("<dl>");
    if let Some(request) = route.request {
        let _ = write!(text, "<dt>Send</dt><dd>{}</dd>", link(request));
    }
    let _ = write!(text, "<dt>Get</dt><dd>{}</dd>", answer(route.answer));
    for status in route.refusals {
        let _ = write!(
            text,
            "<dt>{status}</dt><dd>{}</dd>",
            prose(refusal_text(*status))
        );
    }
    text.push_str("</dl></article>");
}

fn answer(answer: Answer) -> String {
    match answer {
        Answer::Json(shape) => link(shape),
        Answer::JsonOrEvents(whole, event) => {
            format!("{}, or events of {}", link(whole), link(event))
        }
        Answer::JsonOr(shape, media) => format!("{}, or <code>{media}</code>", link(shape)),
        Answer::Media(media) => format!("<code>{media}</code>"),
    }
}

fn shape(text: &mut String, shape: &Shape) {
    let _ = write!(
        text,
        "<article class=\"shape\"><h3 id=\"shape-{name}\">{name}</h3><p>{about}</p>",
        name = shape.name,
        about = prose(shape.about),
    );
    let mut rows = String::new();
    for (name, kind, about) in shape.fields {
        row(&mut rows, name, kind, about);
    }
    table(text, shape.name, &rows);
    text.push_str("</article>");
}

fn table(text: &mut String, caption: &str, rows: &str) {
    let _ = write!(
        text,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table>\
         <caption>{caption}</caption><thead><tr><th scope=\"col\">Name</th>\
         <th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead>\
         <tbody>{rows}</tbody></table></div>"
    );
}

fn row(rows: &mut String, name: &str, kind: &str, about: &str) {
    let optional = if name.ends_with('?') {
        " <small>optional</small>"
    } else {
        ""
    };
    let _ = write!(
        rows,
        "<tr><th scope=\"row\"><code>{}</code>{optional}</th><td>{}</td><td>{}</td></tr>",
        plain_name(name),
        linked(&plain_text(kind)),
        prose(about),
    );
}

fn link(shape: &str) -> String {
    format!("<a href=\"#shape-{shape}\">{shape}</a>")
}

/// A type in words, its shapes linked.
fn linked(words: &str) -> String {
    words
        .split(' ')
        .map(|word| {
            let is_shape = shapes::ALL.iter().any(|shape| shape.name == word);
            if is_shape {
                link(word)
            } else {
                escape(word).into_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Escapes, and sets what stands between backticks as code.
fn prose(text: &str) -> String {
    let mut written = String::new();
    for (place, part) in text.split('`').enumerate() {
        let part = escape(part);
        if place % 2 == 1 {
            let _ = write!(written, "<code>{part}</code>");
        } else {
            written.push_str(&part);
        }
    }
    written
}

/// A path that may be broken at its slashes on narrow screens.
fn breakable(path: &str) -> String {
    escape(path).replace('/', "/<wbr>")
}
