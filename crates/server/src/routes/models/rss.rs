//! The newest models as an RSS 2.0 feed.

use super::object::created;
use crate::html::escape;
use interline_domain::catalogue::{Catalogue, Model};
use std::fmt::Write as _;

/// Writes the feed. `site` is where this server is reached.
pub(crate) fn write<'a>(
    catalogue: &Catalogue,
    models: impl Iterator<Item = &'a Model>,
    site: &str,
    has_chat_links: bool,
) -> String {
    let site = escape(site.trim_end_matches('/'));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel>\n\
         <title>Interline models</title>\n<link>{site}/</link>\n\
         <description>Models this server lists, newest first</description>\n"
    );
    for model in models {
        let id = escape(&model.id);
        let link = if has_chat_links {
            format!("{site}/chat?models={id}")
        } else {
            format!("{site}/api/v1/model/{id}")
        };
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "<item><title>{}</title><link>{link}</link><guid isPermaLink=\"false\">{id}</guid>\
             <description>{}</description>",
            escape(&model.name),
            escape(&model.description),
        );
        if let Some(date) = date_text(created(catalogue, model)) {
            let _ = write!(text, "<pubDate>{date}</pubDate>");
        }
        text.push_str("</item>\n");
    }
    text.push_str("</channel></rss>\n");
    text
}

/// A date as RSS and HTTP both write it; `None` for models without a date.
fn date_text(seconds: i64) -> Option<String> {
    let at = jiff::Timestamp::from_second(seconds)
        .ok()
        .filter(|_| seconds > 0)?;
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .ok()
}
