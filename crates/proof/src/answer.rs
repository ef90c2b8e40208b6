//! An answer of HTTP/1.1 as it comes off a connection: as little as the clients here need.

use anyhow::{Context as _, Result};

/// Its first lines.
pub(crate) struct Head<'a> {
    text: &'a str,
    /// The HTTP status.
    pub(crate) status: u16,
}

impl<'a> Head<'a> {
    /// A field, by its name in any case.
    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        self.text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(of, _)| of.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// A field that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.field(name).and_then(|value| value.parse().ok())
    }
}

/// Head and body, once all of both is there.
///
/// # Errors
/// When it is no answer, or has no length.
pub(crate) fn whole(read: &[u8]) -> Result<Option<(Head<'_>, &[u8])>> {
    let Some(head_ends) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&read[..head_ends]).context("the head's text")?;
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("a status line")?;
    let head = Head { text, status };
    let length = head
        .number("content-length")
        .context("an answer without a length")?;
    let body = read[head_ends + 4..].get(..length as usize);
    Ok(body.map(|body| (head, body)))
}
